import { isReportName } from '../../cache/store/own-names.ts'
import { isObject, isText } from '../../model/json.ts'
import type { EventsFolder } from '../events-folder.ts'
import type { LeftReport } from '../left-report.ts'
import { takeFiles } from './take-files.ts'

/** Reads the reports that workers left, and removes them. */
export function takeLeftReports(folder: EventsFolder): LeftReport[] {
  return takeFiles(folder, isReportName).flatMap((text) => parse(text) ?? [])
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
