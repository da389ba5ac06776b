import type { ModelCache } from '../../cache/model-cache.ts'
import type { RequestEvent } from '../../model/request.ts'
import type { WarmedModel } from '../../report/report.ts'
import type { Span } from '../../report/types.ts'
import { labelOf } from '../../report/words.ts'
import { historyOf, RUNS_BACK, storeHistory, useKey } from '../history.ts'
import type { Project } from '../project.ts'
import { type FinishedRun, partOf, type RequestReport } from './finished-run.ts'
import { learn } from './learn.ts'
import type { RunReports } from './report-of.ts'

/** The timeline of a run has this many requests: those that took longest. */
const SPANS_KEPT = 200
const NOTHING = { evicted: [], expired: [], freedBytes: 0 }

/** Writes one record for each project. The project's next run warms the models in the record. The command line shows its times. */
export async function recordRuns(id: string, writable: ModelCache[], reports: RunReports): Promise<void> {
  const { run } = reports
  const projects = new Map<string, Project>()
  const warmUps = run.warmUps.filter(({ models }) => models.length > 0)
  // Projects with the same root and the same cache share a record.
  for (const { project } of [...run.reports, ...warmUps])
    projects.set(`${writable.indexOf(project.cache)} ${project.root}`, project)
  for (const [index, { root, cache, history: historyBefore }] of [...projects.values()].entries()) {
    if (!writable.includes(cache)) continue
    const part = partOf(run, (project) => project.root === root && project.cache === cache)
    // Figures of the whole run are in the first record only, so that sums over the records are right.
    if (index > 0) Object.assign(part, { removals: NOTHING, ownMs: undefined })
    const history = learn(historyBefore ?? historyOf(await cache.lastRuns(root, RUNS_BACK)) ?? new Map(), learned(part))
    for (const { project } of part.files) project.history = history
    await cache.recordRun({
      ...{ schemaVersion: 1, id: `${id}-${index}`, startedAt: run.startedAt, project: root },
      used: usedBy(part.reports),
      history: storeHistory(history),
      report: await reports.of(part, cache),
      timeline: timelineOf(part),
    })
  }
}

/** What the run tells about its test files. */
function learned({ files, reports, testNamePattern }: FinishedRun) {
  const uses = reports.flatMap(({ requests, testFile }) =>
    requests.map(({ repo, revision, selection, ...request }) => ({
      ...{ testFile, repo, revision, selection },
      bytes: sizeOf(request),
    })),
  )
  const learnedFiles = files.map(({ testFile, project, isWhole }) => ({
    ...{ testFile, isWhole: isWhole() },
    sources: project.named?.get(testFile)?.digest,
  }))
  return { files: learnedFiles, uses, testNamePattern }
}

/** Each requested model selection, with its files and the test files that requested it. */
function usedBy(reports: RequestReport[]) {
  const used = new Map<string, ReturnType<typeof newUse>>()
  for (const { requests, testFile } of reports)
    for (const request of requests) {
      const key = useKey(request)
      const use = used.get(key) ?? newUse(request)
      if (!use.testFiles.includes(testFile)) use.testFiles.push(testFile)
      used.set(key, use)
    }
  return [...used.values()]
}

function newUse({ repo, revision, commit, selection, files }: RequestEvent) {
  const testFiles: string[] = []
  return { repo, revision, commit, selection, testFiles, files: files.map(([path]) => path) }
}

/** The steps of downloads and requests, sorted by their start. Requests for models that were loaded already are left out. */
function timelineOf({ reports, warmUps }: FinishedRun): Span[] {
  const warmed = warmUps.flatMap(({ models }) => models.flatMap((model) => spanOfWarmed(model) ?? []))
  const requests = reports.flatMap(({ requests, testFile }) =>
    requests.filter(({ tier }) => tier !== 'memory').map((request) => spanOf(request, testFile)),
  )
  const longest = [...warmed, ...requests].sort((a, b) => durationOf(b) - durationOf(a)).slice(0, SPANS_KEPT)
  return longest.sort((a, b) => a.at - b.at)
}

function spanOf(request: RequestEvent, testFile: string): Span {
  const { lookupMs, restoreMs, downloadMs, loadMs, tier, at } = request
  const steps = { lookup: lookupMs, restore: restoreMs ?? 0, download: downloadMs ?? 0, load: loadMs ?? 0 }
  return { model: labelOf(request), testFile, tier, at, steps, bytes: sizeOf(request) }
}

function spanOfWarmed(model: WarmedModel): Span | undefined {
  const { at, tier, downloadMs } = model
  if (at === undefined) return undefined
  const steps = { lookup: 0, restore: 0, download: downloadMs ?? 0, load: 0 }
  return { model: labelOf(model), testFile: null, tier, at, steps, bytes: sizeOf(model) }
}

function sizeOf({ files }: Pick<RequestEvent, 'files'>): number {
  return files.reduce((sum, [, bytes]) => sum + bytes, 0)
}

function durationOf({ steps }: Span): number {
  return steps.lookup + steps.restore + steps.download + steps.load
}
