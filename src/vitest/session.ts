import { randomBytes } from 'node:crypto'
import type { ResolvedConfig, TestProject, Vitest } from 'vitest/node'
import { ModelCache } from '../cache/model-cache.ts'
import { Lease } from '../cache/store/leases.ts'
import { type Options, resolveOptions } from '../config/options.ts'
import { isoNow, originals } from '../platform/originals.ts'
import type { WarmedModel } from '../report/report.ts'
import { type Output, outputOf } from './output.ts'

/** What the three hooks of one Vitest process share. */
export interface Session {
  runId: string
  startedAt: string
  /** Those of the first project; the others' are in `projects`. */
  options: Options
  projects: WeakMap<TestProject, Options>
  output: Output
  cache: ModelCache
  /** What the warm-up downloaded since the last report. */
  warmed: WarmedModel[]
  /** Milliseconds; null when nothing was warmed since the last report. */
  warmUpMs: number | null
  /** Claims what this run uses: no other process removes it while the run lives. */
  lease: Lease
  hasReporter: boolean
}

// With `projects` the plugin's module may be evaluated once for each, so that a map of its own would miss the others.
const SESSIONS = Symbol.for('vitest-model-cache.sessions')

/** The session of a Vitest process, if there is one. */
export function findSession(vitest: Vitest): Session | undefined {
  return sessions().get(vitest)
}

/** The session of a Vitest process; made with these options when there is none. */
export function openSession(vitest: Vitest, options: Options): Session {
  const known = findSession(vitest)
  if (known) return known
  const output = outputOf(vitest)
  const runId = `${originals.now().toString(36)}-${process.pid}-${randomBytes(3).toString('hex')}`
  const cache = new ModelCache({
    ...options,
    runId,
    onDebug: options.debug ? output.note : undefined,
    onWarning: output.note,
  })
  const session: Session = {
    ...{ runId, startedAt: isoNow(), options, output, cache },
    lease: new Lease(cache.context.layout, runId),
    ...{ projects: new WeakMap(), warmed: [], warmUpMs: null, hasReporter: false },
  }
  sessions().set(vitest, session)
  return session
}

/** Who wires by hand gives the options as `environmentOptions.modelCache`. */
export function optionsByHand({ environmentOptions, root }: ResolvedConfig): Options {
  return resolveOptions(Reflect.get(environmentOptions ?? {}, 'modelCache'), process.env, root)
}

function sessions(): WeakMap<Vitest, Session> {
  const global: object = globalThis
  const holder: { [SESSIONS]?: WeakMap<Vitest, Session> } = global
  holder[SESSIONS] ??= new WeakMap()
  return holder[SESSIONS]
}
