import type { ModelCache } from '../../cache/model-cache.ts'
import { messageOf } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { spent, takeOwnMs } from '../../platform/own-time.ts'
import type { Project } from '../project.ts'
import type { Session } from '../session.ts'
import { addEvicted, type Ending, type FinishedRun, partOf, usedModels } from './finished-run.ts'
import { foldIn } from './fold-in.ts'
import { noteDownloaded } from './note-downloaded.ts'
import { recordRuns } from './record-runs.ts'
import { RunReports } from './report-of.ts'
import { showReport } from './show-report.ts'

/**
 * Records the uses of a finished run, applies the limits of the cache, writes the run's record, shows the report, and sends what the run
 * downloaded to the remote. In watch mode nobody waits for that.
 */
export async function concludeRun(session: Session, run: FinishedRun, ending: Ending): Promise<void> {
  const isToSend = noteDownloaded(session, run)
  // What is sent must not be removed before.
  const isOver = !session.isWatching && !isToSend
  const left = await recordAndShow(session, run, { ...ending, isOver, isLast: !isToSend })
  if (!isToSend) return goOn(session, left, isOver)
  const { applyLimits, uploadModels } = await import('./upload.ts')
  const sent = uploadModels(session)
  if (session.isWatching) return
  await sent
  await goOn(session, await applyLimits(session), true)
}

/** Has another process do what maintenance left. */
async function goOn(session: Session, left: ModelCache[], isOver: boolean): Promise<void> {
  if (left.length === 0) return
  const { leaveMaintenance } = await import('./leave-maintenance.ts')
  const started = await Promise.all(left.map((cache) => leaveMaintenance(cache, isOver)))
  session.stopMaintenance = () => {
    for (const child of started) child?.kill()
  }
}

/** Returns the caches in which maintenance left something to do. `isOver`: nothing in this process needs the models of the run. */
async function recordAndShow(
  session: Session,
  run: FinishedRun,
  ending: Ending & { isOver: boolean; isLast: boolean },
): Promise<ModelCache[]> {
  let started = originals.monotonic()
  const projects = [...session.projects.values()]
  const caches = [...new Set(projects.map(({ cache }) => cache))]
  const writable: ModelCache[] = []
  for (const cache of caches) if (await cache.isWritable()) writable.push(cache)
  for (const cache of caches) addEvicted(run, cache.context.takeEvicted())
  // The report is shown also after such a failure.
  const note = (error: unknown) => session.output.note(`The run could not be recorded: ${messageOf(error)}`)
  const reports = new RunReports(run)
  let left: ModelCache[] = []
  if (usedModels(run)) {
    left = await foldIn(writable, run, ending).catch((error) => {
      note(error)
      return []
    })
    spent('maintenance', started)
    run.ownMs = Math.max(0, session.ownMs + takeOwnMs() - hubWarmUpMs(run))
    session.ownMs = 0
    started = originals.monotonic()
    await recordRuns(`${session.runId}-${ending.number}`, writable, reports).catch(note)
  }
  // A project with `report: false` has a record too: its next run warms the models that it used.
  const isShown = ({ options }: Project) => options.report !== false
  const first = projects.find(isShown)
  if (!first) return left
  const shown = partOf(run, isShown)
  const settings = projects.flatMap(({ options }) => options.report || [])
  const unused = await unusedIn(shown, ending)
  await showReport(session.output, await reports.of(shown, first.cache), settings, { ...run, unused })
  spent('report', started)
  return left
}

/** Lines about declared models that were downloaded and not used. None if only some tests ran: other tests may use the model. */
async function unusedIn({ warmUps, reports }: FinishedRun, { isPartial }: Ending): Promise<string[]> {
  const warmed = warmUps.flatMap(({ models }) => models)
  const declared = warmed.filter(({ isDeclared, tier }) => isDeclared && tier === 'hub')
  if (declared.length === 0 || isPartial()) return []
  const { unusedLines } = await import('../../report/unused.ts')
  const requests = reports.flatMap((report) => report.requests)
  return unusedLines(declared, requests)
}

/** The milliseconds of those warm-ups that asked the Hub. */
function hubWarmUpMs({ warmUps }: FinishedRun): number {
  return warmUps.reduce((sum, { ms, askedHub }) => (askedHub ? sum + ms : sum), 0)
}
