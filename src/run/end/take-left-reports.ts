import { isReportName } from '../../cache/store/own-names.ts'
import { isObject, isText } from '../../model/json.ts'
import type { LeftReport } from '../left-report.ts'
import type { Project } from '../project.ts'
import { takeFiles } from './take-files.ts'

/** Reads the reports that the workers of a project left, and removes them. */
export function takeLeftReports({ events }: Project): LeftReport[] {
  return events ? takeFiles(events, isReportName).flatMap((text) => parse(text) ?? []) : []
}

function parse(text: string): LeftReport | undefined {
  try {
    const left: unknown = JSON.parse(text)
    return isLeftReport(left) ? left : undefined
  } catch {
    return undefined
  }
}

function isLeftReport(left: unknown): left is LeftReport {
  if (!isObject(left)) return false
  const { project, testFile, requests, errors } = left
  return isText(project) && isText(testFile) && Array.isArray(requests) && Array.isArray(errors)
}
