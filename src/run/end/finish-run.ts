import { relative } from 'node:path'
import type { Mode } from '../../config/options.ts'
import { originals } from '../../platform/originals.ts'
import { measured, spent } from '../../platform/own-time.ts'
import type { Session } from '../session.ts'
import { collectReports } from './collect-reports.ts'
import { addEvicted, type Ending, type FinishedRun, hasNews } from './finished-run.ts'

/** Ends one run of tests: writes its record, maintains the cache and shows the report. Loads no code if there is nothing to do. */
export async function finishRun(session: Session, ending: Ending): Promise<void> {
  for (const { prefetch } of session.projects.values()) await prefetch?.endTests(session.isWatching)
  const run = measured('collecting', () => takeRun(session, ending))
  const isNeeded = hasNews(run) || isWritten(session) || run.mode === 'unit' || session.toUpload.size > 0
  if (!isNeeded) return
  const started = originals.monotonic()
  const { concludeRun } = await import('./conclude-run.ts')
  spent('collecting', started)
  await concludeRun(session, run, ending)
}

/** Loads the code for the end of a run early, while this process waits for tests. */
export function loadConclusion(): void {
  void import('./conclude-run.ts').catch(() => undefined)
}

/** True when the report of each run is written to a file. */
function isWritten({ projects }: Session): boolean {
  return [...projects.values()].some(({ options: { report } }) => report !== false && report.outputFile !== undefined)
}

/** `unit` if no project loads real models. */
function modeOf({ projects }: Session): Mode {
  const modes = [...projects.values()].map(({ options }) => options.mode)
  return modes.length > 0 && modes.every((mode) => mode === 'unit') ? 'unit' : 'integration'
}

function takeRun(session: Session, ending: Ending): FinishedRun {
  const reports = collectReports([...session.projects.values()], ending)
  const { warmUps, startedAt } = session
  session.warmUps = []
  const durationMs = Math.max(0, originals.now() - Date.parse(startedAt))
  const testErrors = reports.some(({ errors }) => errors.length > 0)
    ? ending.files.flatMap((file) => file.errors())
    : []
  const run: FinishedRun = {
    mode: modeOf(session),
    files: ending.files.map(({ project, path, isWhole, report }) => ({
      project,
      testFile: relative(project.root, path),
      // After a failed request, a file may have left out other requests.
      isWhole: () => (isWhole?.() ?? false) && (report?.errors.length ?? 0) === 0,
    })),
    testNamePattern: session.testNamePattern,
    ...{ reports, warmUps, testErrors, startedAt, durationMs },
    removals: { evicted: [], expired: [], freedBytes: 0 },
  }
  for (const { evicted } of reports) addEvicted(run, evicted)
  return run
}
