import { relative } from 'node:path'
import type { RequestError } from '../../model/request.ts'
import type { FailedRequest } from '../../report/report.ts'
import type { Project } from '../project.ts'
import type { Ending, FinishedFile, RequestReport } from './finished-run.ts'
import { takeChildEvents } from './take-child-events.ts'

/** All requests of a run: those of its test files, of their child processes and of their browser pages. */
export function collectReports(projects: Project[], ending: Ending): RequestReport[] {
  return [...ending.files.flatMap(reportOf), ...projects.flatMap((project) => lateReports(project, ending))]
}

function reportOf(file: FinishedFile): RequestReport[] {
  const { project, path, report } = file
  if (!report) return []
  return [
    {
      ...report,
      errors: failedRequests(report.errors, file.hasPassed),
      testFile: relative(project.root, path),
      project,
    },
  ]
}

/**
 * The requests of child processes, and the requests that pages made after the end of their test file. Projects with the same
 * cache share the folder for events, so the test file decides to which project a report belongs.
 */
function lateReports(project: Project, { files, allPassed = false }: Ending): RequestReport[] {
  const ofChildren = project.events ? takeChildEvents(project.events) : []
  const events = [...ofChildren.map((event) => ({ ...event, isOfChild: true })), ...(project.pages?.drainAll() ?? [])]
  return events.map(({ testFile, ...report }) => {
    const file = files.find(({ path }) => path === testFile)
    const owner = file?.project ?? project
    const errors = failedRequests(report.errors, (test) => file?.hasPassed(test) ?? allPassed)
    return { ...report, errors, testFile: relative(owner.root, testFile), project: owner }
  })
}

// With these errors, a request went to the Hub without the cache. The report shows them also when the test passed.
const WITHOUT_CACHE: RequestError['code'][] = ['NOT_SET_UP', 'UNSERVED']

/** An error is expected if the test that made the request passed. If that test is not known, its whole file must have passed. */
function failedRequests(errors: RequestError[], hasPassed: FinishedFile['hasPassed']): FailedRequest[] {
  return errors.map(({ test, ...error }) => ({
    ...error,
    isExpected: hasPassed(test) && !WITHOUT_CACHE.includes(error.code),
  }))
}
