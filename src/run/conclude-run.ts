import type { TestProject } from 'vitest/node'
import type { ModelCache } from '../cache/model-cache.ts'
import { messageOf } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import { originals } from '../platform/originals.ts'
import { spent, takeOwnMs } from '../platform/own-time.ts'
import { addEvicted, type FinishedRun, partOf, usedModels } from './finished-run.ts'
import { recordRuns } from './record-runs.ts'
import { RunReports } from './report-of.ts'
import type { ProjectSetup, Session } from './session.ts'
import { showReport } from './show-report.ts'

// Maintenance is never in the way of the tests: what is not done by then, the next run does.
const MAINTAIN_WITHIN_MS = 5_000

/** Folds what a run came to into the metadata, keeps its record, removes what is beyond the limits, and shows the report. */
export async function concludeRun(session: Session, run: FinishedRun, number: number): Promise<void> {
  let started = originals.monotonic()
  const setups = [...session.projects.values()]
  const caches = [...new Set(setups.map(({ cache }) => cache))]
  const writable: ModelCache[] = []
  for (const cache of caches) if (await cache.isWritable()) writable.push(cache)
  for (const cache of caches) addEvicted(run, cache.context.takeEvicted())
  // A cache that can't be written to is no reason to show nothing.
  const note = (error: unknown) => session.output.note(`The run could not be recorded: ${messageOf(error)}`)
  const reports = new RunReports(run)
  if (usedModels(run)) {
    await foldIn(writable, run, !session.isWatching).catch(note)
    spent('maintenance', started)
    run.ownMs = Math.max(0, takeOwnMs() - waitedMs(run))
    started = originals.monotonic()
    await recordRuns(`${session.runId}-${number}`, writable, reports).catch(note)
  }
  // A project with `report: false` is left out of the report. Its record is kept: its next run warms what it used.
  const isShown = ({ options }: ProjectSetup) => options.report !== false
  const first = setups.find(isShown)
  if (!first) return
  const shown = partOf(run, ({ setup }) => isShown(setup))
  const settings = setups.flatMap(({ options }) => options.report || [])
  const unused = await unusedIn(session, shown)
  await showReport(session.output, await reports.of(shown, first.cache), settings, { ...run, unused })
  spent('report', started)
}

/** Lines on what was declared, downloaded and not used. Where only a part of the tests ran, the others may use it. */
async function unusedIn({ projects }: Session, { warmUps, reports }: FinishedRun): Promise<string[]> {
  const warmed = warmUps.flatMap(({ models }) => models)
  const declared = warmed.filter(({ isDeclared, tier }) => isDeclared && tier === 'hub')
  if (declared.length === 0 || [...projects.keys()].some(isPartial)) return []
  const { unusedLines } = await import('../report/unused.ts')
  const requests = reports.flatMap((report) => report.requests)
  return unusedLines(declared, requests)
}

function isPartial({ vitest }: TestProject): boolean {
  const { testNamePattern, shard, changed, related, project } = vitest.config
  // The filters of the command line, which are no part of the config.
  const filters: unknown = Reflect.get(vitest, 'filenamePattern')
  return Boolean(testNamePattern || shard || changed || related || project.length > 0 || filters)
}

/** What the warm-ups took that waited for the Hub. */
function waitedMs({ warmUps }: FinishedRun): number {
  return warmUps.reduce((sum, { ms, askedHub }) => (askedHub ? sum + ms : sum), 0)
}

async function foldIn(caches: ModelCache[], run: FinishedRun, isOver: boolean): Promise<void> {
  const started = originals.monotonic()
  for (const cache of caches) {
    const requests = run.reports.flatMap(({ setup, requests }) => (setup.cache === cache ? requests : []))
    const removed = await inTime(cache.recordUses(requests).then(() => cache.maintain({ isOver })))
    if (!removed) continue
    addEvicted(run, { models: removed.evicted.map(modelLabel), bytes: removed.freedBytes })
    run.removals.expired.push(...removed.expired.map(modelLabel))
  }
  run.maintenanceMs = originals.monotonic() - started
}

/** What the work gives; undefined when that takes too long: then the next run does the rest. */
function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = originals.setTimeout(() => resolve(undefined), MAINTAIN_WITHIN_MS)
    work.then(resolve, reject).finally(() => originals.clearTimeout(timer))
  })
}
