import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { nameOf, systemCode } from '../../model/errors.ts'
import { writeAtomically } from './atomic-write.ts'
import type { Layout } from './layout.ts'

const RUNS_KEPT = 100

const Schema = v.looseObject({
  schemaVersion: v.literal(1),
  id: v.string(),
  startedAt: v.string(),
  project: v.string(),
  used: v.array(
    v.object({
      repo: v.string(),
      revision: v.string(),
      commit: v.string(),
      selection: v.string(),
      testFiles: v.array(v.string()),
    }),
  ),
})

/** One run: its statistics, and which test file used which model. */
export type RunRecord = v.InferOutput<typeof Schema>

/** Writes a run's record and removes the project's oldest beyond the last hundred. */
export async function writeRun(layout: Layout, record: RunRecord): Promise<void> {
  const path = join(layout.runs, `${record.id}${suffixOf(record.project)}`)
  await writeAtomically(path, `${JSON.stringify(record, null, 1)}\n`)
  const names = await runNames(layout, record.project)
  for (const name of names.slice(0, -RUNS_KEPT)) await rm(join(layout.runs, name), { force: true })
}

/** The last `count` runs of a project, newest first. Records that can't be read are left out. */
export async function readRuns(layout: Layout, project: string, count: number): Promise<RunRecord[]> {
  const runs: RunRecord[] = []
  for (const name of (await runNames(layout, project)).reverse()) {
    if (runs.length >= count) break
    const run = await readRun(join(layout.runs, name))
    if (run?.project === project) runs.push(run)
  }
  return runs
}

/** Their names begin with the time in base 36, so that they sort by age, and end with the project's mark. */
async function runNames(layout: Layout, project: string): Promise<string[]> {
  const names = await readdir(layout.runs).catch((error) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => name.endsWith(suffixOf(project))).sort()
}

/** Runs of other projects in the same cache are told apart without being read. */
function suffixOf(project: string): string {
  return `.${createHash('sha256').update(project).digest('hex').slice(0, 12)}.json`
}

async function readRun(path: string): Promise<RunRecord | undefined> {
  try {
    const result = v.safeParse(Schema, JSON.parse(await readFile(path, 'utf8')))
    return result.success ? result.output : undefined
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || nameOf(error) === 'SyntaxError') return undefined
    throw error
  }
}
