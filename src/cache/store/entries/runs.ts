import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, nameOf, systemCode } from '../../../model/errors.ts'
import { isObject, isText, isTexts } from '../../../model/json.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import { writeAtomically } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { isRunRecordName } from '../own-names.ts'
import { removeFiles } from '../remove-own.ts'

const RUNS_KEPT = 100
/** The limit for all projects together: projects that were deleted leave their records behind. */
const RUNS_KEPT_IN_ALL = 1000
/** Bytes. The records that this package writes are far smaller. */
const LARGEST_RECORD = 8 * 2 ** 20

/** One run: its statistics (`RunSchema` of `report/schema.ts`), and which test file used which model. */
export interface RunRecord {
  schemaVersion: 1
  id: string
  /** ISO 8601. */
  startedAt: string
  /** The root folder of the project. */
  project: string
  used: { repo: string; revision: string; commit: string; selection: string; testFiles: string[]; files?: string[] }[]
  [more: string]: unknown
}

/** Writes a run's record. Removes the oldest records: keeps 100 of the project, and 1,000 of all projects. */
export async function writeRun(layout: Layout, record: RunRecord): Promise<void> {
  const path = join(layout.runs, `${record.id}${suffixOf(record.project)}`)
  writeAtomically(path, `${JSON.stringify(record)}\n`)
  const names = runNames(layout)
  const own = ofProject(names, record.project)
  await removeFiles(layout, layout.runs, [
    ...new Set([...own.slice(0, -RUNS_KEPT), ...names.slice(0, -RUNS_KEPT_IN_ALL)]),
  ])
}

/** The last `count` runs of a project, newest first. Records that can't be read are left out. */
export async function readRuns(layout: Layout, project: string, count: number): Promise<RunRecord[]> {
  const own = ofProject(runNames(layout), project)
  return readNewest(layout, own, count, (run) => run.project === project)
}

/** The last `count` runs of all projects that `accepts` accepts, newest first. Records that can't be read are left out. */
export async function readAllRuns(
  layout: Layout,
  count: number,
  accepts: (run: RunRecord) => boolean,
): Promise<RunRecord[]> {
  return readNewest(layout, runNames(layout), count, accepts)
}

async function readNewest(
  layout: Layout,
  names: string[],
  count: number,
  accepts: (run: RunRecord) => boolean,
): Promise<RunRecord[]> {
  const runs: RunRecord[] = []
  for (const name of [...names].reverse()) {
    if (runs.length >= count) break
    const run = readRun(join(layout.runs, name))
    if (run && accepts(run)) runs.push(run)
  }
  return runs
}

/** The last `count` runs of each project, newest first. Records that can't be read are left out. */
export async function readRunsOfEach(layout: Layout, count: number): Promise<RunRecord[]> {
  const found = new Map<string, number>()
  const runs: RunRecord[] = []
  for (const name of runNames(layout).reverse()) {
    const project = name.slice(name.indexOf('.'))
    const before = found.get(project) ?? 0
    const run = before < count ? readRun(join(layout.runs, name)) : undefined
    if (!run) continue
    found.set(project, before + 1)
    runs.push(run)
  }
  return runs
}

/** The names of all records, oldest first: they begin with the time in base 36. They end with a hash of the project. */
function runNames(layout: Layout): string[] {
  try {
    return readdirSync(layout.runs).filter(isRunRecordName).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

function ofProject(names: string[], project: string): string[] {
  const suffix = suffixOf(project)
  return names.filter((name) => name.endsWith(suffix))
}

/** The end of the names of a project's records. Records of other projects are recognized by it without being read. */
function suffixOf(project: string): string {
  return `.${createHash('sha256').update(project).digest('hex').slice(0, 12)}.json`
}

function readRun(path: string): RunRecord | undefined {
  try {
    if (statSync(path).size > LARGEST_RECORD) return undefined
    const record: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isRunRecord(record) ? record : undefined
  } catch (error) {
    // The record is gone, damaged, unreadable or no file. A run must not fail for its statistics.
    if (isSystemError(error) || nameOf(error) === 'SyntaxError') return undefined
    throw error
  }
}

/** True when the fields are valid that the warm-up needs. */
function isRunRecord(record: unknown): record is RunRecord {
  if (!isObject(record) || record.schemaVersion !== 1) return false
  const { id, startedAt, project, used } = record
  return isText(id) && isText(startedAt) && isText(project) && Array.isArray(used) && used.every(isUse)
}

function isUse(use: unknown): boolean {
  if (!isObject(use)) return false
  const { repo, revision, commit, selection, testFiles, files } = use
  return (
    [repo, revision, commit, selection].every(isText) && isTexts(testFiles) && (files === undefined || isTexts(files))
  )
}
