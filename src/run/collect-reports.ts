import { relative } from 'node:path'
import type { RequestError } from '../model/request.ts'
import type { FailedRequest } from '../report/report.ts'
import type { FinishedFile, RequestReport } from './finished-run.ts'
import type { Project } from './project.ts'
import { takeChildEvents } from './take-child-events.ts'

/** What the test files of a run asked for, their child processes and their browser pages included. */
export function collectReports(projects: Project[], files: FinishedFile[]): RequestReport[] {
  return [...files.flatMap(reportOf), ...projects.flatMap((project) => lateReports(project, files))]
}

function reportOf(file: FinishedFile): RequestReport[] {
  const { project, path, report } = file
  if (!report) return []
  return [{ ...report, errors: failedRequests(report.errors, file), testFile: relative(project.root, path), project }]
}

/**
 * What child processes asked for, and what pages asked for after their test file was over. Projects with the same cache share the
 * folder for events, so the test file decides to which project a report belongs.
 */
function lateReports(project: Project, files: FinishedFile[]): RequestReport[] {
  const ofChildren = project.events ? takeChildEvents(project.events) : []
  const events = [...ofChildren.map((event) => ({ ...event, isOfChild: true })), ...(project.pages?.drainAll() ?? [])]
  return events.map(({ testFile, ...report }) => {
    const file = files.find(({ path }) => path === testFile)
    const owner = file?.project ?? project
    const errors = failedRequests(report.errors, file)
    return { ...report, errors, testFile: relative(owner.root, testFile), project: owner }
  })
}

// Such a request went to the Hub without the cache, and its test can pass. The report has to tell of it all the same.
const WITHOUT_CACHE: RequestError['code'][] = ['NOT_SET_UP', 'UNSERVED']

/** An error is expected if the test that asked passed; where that test is not known, if its whole file passed. */
function failedRequests(errors: RequestError[], file: FinishedFile | undefined): FailedRequest[] {
  return errors.map(({ test, ...error }) => ({
    ...error,
    isExpected: file?.hasPassed(test) === true && !WITHOUT_CACHE.includes(error.code),
  }))
}
