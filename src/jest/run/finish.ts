import { messageOf } from '../../model/errors.ts'
import { finishRun } from '../../run/end/finish-run.ts'
import type { FinishedFile } from '../../run/end/finished-run.ts'
import { takeLeftReports } from '../../run/end/take-left-reports.ts'
import type { LeftReport } from '../../run/left-report.ts'
import type { GlobalConfig, TestFileResult } from '../types.ts'
import type { JestRun } from './session.ts'

/**
 * Shows the report of a run and writes its record, once: with `--bail`, Jest ends the run again for each result that comes after the
 * failure.
 */
export function finish(run: JestRun, globalConfig: GlobalConfig): Promise<void> {
  run.reported ??= report(run, globalConfig)
  return run.reported
}

/** A report that fails must not fail the suite. */
async function report(run: JestRun, globalConfig: GlobalConfig): Promise<void> {
  try {
    await finishRun(run.session, {
      files: finishedFiles(run),
      number: 1,
      isPartial: () => isPartialRun(globalConfig),
    })
  } catch (error) {
    run.session.output.note(`The report could not be made: ${messageOf(error)}`)
  }
}

/** The results of the reporter, and the reports that the workers left. A crashed worker has no result, or left no report. */
function finishedFiles({ session, results }: JestRun): FinishedFile[] {
  const left = [...session.projects.values()].flatMap(takeLeftReports)
  const keyOf = (project: string, testFile: string) => `${project} ${testFile}`
  const files = new Map<string, { project: string; path: string; reports: LeftReport[]; result?: TestFileResult }>()
  for (const { project, result } of results)
    files.set(keyOf(project.id, result.testFilePath), {
      project: project.id,
      path: result.testFilePath,
      reports: [],
      result,
    })
  for (const report of left) {
    const key = keyOf(report.project, report.testFile)
    const file = files.get(key) ?? { project: report.project, path: report.testFile, reports: [] }
    file.reports.push(report)
    files.set(key, file)
  }
  return [...files.values()].flatMap(({ project: id, path, reports, result }): FinishedFile[] => {
    const project = session.projects.get(id)
    if (!project) return []
    const file = {
      ...{ project, path },
      hasPassed: (test?: string) => hasPassed(result, test),
      errors: () => errorsOf(result),
      isWhole: () => isWhole(result, session.testNamePattern),
    }
    return reports.length > 0 ? reports.map((report) => ({ ...file, report })) : [{ ...file, report: undefined }]
  })
}

/** Of a file without a result nothing is known. So its failed requests are shown. */
function hasPassed(result: TestFileResult | undefined, test: string | undefined): boolean {
  if (!result || result.testExecError) return false
  const named = result.testResults.filter(({ fullName }) => fullName === test)
  const tests = named.length > 0 ? named : result.testResults
  return tests.every(({ status }) => status !== 'failed')
}

/** True if all tests of a file ran and passed. With a pattern for the names of tests, the others are left out on purpose. */
function isWhole(result: TestFileResult | undefined, testNamePattern: string | undefined): boolean {
  if (!result || result.testExecError || result.failureMessage) return false
  const accepted = ['passed', 'todo', ...(testNamePattern === undefined ? [] : ['pending'])]
  return result.testResults.every(({ status }) => accepted.includes(status))
}

function errorsOf(result: TestFileResult | undefined): string[] {
  if (!result) return []
  const { failureMessage, testExecError, testResults } = result
  return [
    failureMessage ?? '',
    testExecError?.message ?? '',
    ...testResults.flatMap(({ failureMessages }) => failureMessages),
  ]
}

/** True when a filter of the command line left out some of the tests. */
function isPartialRun(config: GlobalConfig): boolean {
  const { testNamePattern, testPathPattern, testPathPatterns, nonFlagArgs, shard, bail } = config
  const { onlyChanged, onlyFailures, findRelatedTests, runTestsByPath } = config
  const filters = [testNamePattern, testPathPattern, shard, onlyChanged, onlyFailures, findRelatedTests, runTestsByPath]
  const patterns = [...(nonFlagArgs ?? []), ...(testPathPatterns?.patterns ?? [])]
  return filters.some(Boolean) || patterns.length > 0 || bail > 0
}
