import { randomBytes } from 'node:crypto'
import type { ResolvedConfig, TestProject, Vitest } from 'vitest/node'
import { ModelCache } from '../cache/model-cache.ts'
import { cacheSettings, type Options, resolveOptions } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { FileReport } from '../model/request.ts'
import { isoNow, originals } from '../platform/originals.ts'
import type { WarmedModel, WarmUpFailure } from '../report/report.ts'
import type { Events } from './child-events.ts'
import { type Output, outputOf } from './output.ts'

/** What the three hooks of one Vitest process share. */
export interface Session {
  runId: string
  /** ISO 8601: of the run of tests that goes on. */
  startedAt: string
  output: Output
  projects: Map<TestProject, ProjectSetup>
  /** What the warm-ups since the last report did, each for one project. */
  warmUps: WarmUp[]
  hasReporter: boolean
  /** True when a model was warmed: most likely it is asked for. */
  isWarmed: boolean
  /** In watch mode the run goes on: what it used is needed again. */
  isWatching: boolean
  /** False while Vitest only lists tests: it runs the global setup for that too (4.1). */
  isRunning: boolean
}

export interface WarmUp {
  root: string
  setup: ProjectSetup
  ms: number
  /** True when it waited for the Hub. */
  askedHub: boolean
  /** What it brought in. */
  models: WarmedModel[]
  /** What was declared and could not be downloaded. */
  failures: WarmUpFailure[]
  /** True when no run of the project is recorded in this cache. */
  isFirstRun: boolean
}

/** A project's options, and the cache that they mean. */
export interface ProjectSetup {
  options: Options
  cache: ModelCache
  /** Where its children report; undefined where none is answered. */
  events?: Events
  /** What pages asked for, where the project's tests run in a browser. */
  browser?: PageReports
}

/** The reports of pages: the main process answers them, and counts what they ask for. */
export interface PageReports {
  /** What a test file asked for since the last call. */
  drain(testFile: string): FileReport
  /** What every test file asked for since the last call. */
  drainAll(): ({ testFile: string } & FileReport)[]
}

// With `projects` the plugin's module may be evaluated once for each, so that a map of its own would miss the others.
const SESSIONS = Symbol.for('vitest-model-cache.sessions')

/** The session of a Vitest process; made when there is none. */
export function openSession(vitest: Vitest): Session {
  const global: object = globalThis
  const holder: { [SESSIONS]?: WeakMap<Vitest, Session> } = global
  holder[SESSIONS] ??= new WeakMap()
  const known = holder[SESSIONS].get(vitest)
  if (known) return known
  const session: Session = {
    runId: `${originals.now().toString(36)}-${process.pid}-${randomBytes(3).toString('hex')}`,
    startedAt: isoNow(),
    output: outputOf(vitest),
    projects: new Map(),
    isWatching: vitest.config.watch,
    ...{ warmUps: [], hasReporter: false, isRunning: false, isWarmed: false },
  }
  holder[SESSIONS].set(vitest, session)
  return session
}

/** The set-up of a project. Projects whose options mean the same cache share it, with its limits and its budget. */
export function setUpProject(session: Session, project: TestProject, options: Options): ProjectSetup {
  const same = [...session.projects.values()].find((other) => cacheKey(other.options) === cacheKey(options))
  const setup = { options, cache: same?.cache ?? makeCache(session, options) }
  session.projects.set(project, setup)
  return setup
}

/** The options of a project that is wired by hand: `environmentOptions.modelCache`. Throws `INVALID_OPTION`. */
export function optionsByHand({ environmentOptions, root }: ResolvedConfig): Options {
  const options = resolveOptions(Reflect.get(environmentOptions ?? {}, 'modelCache'), process.env, root)
  if (options.hub.token === undefined) return options
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Option `hub.token` in `environmentOptions.modelCache`',
    reason: 'Vitest hands environment options to every worker, and a token must not go there.',
    nextStep: 'Set HF_TOKEN, or use the plugin: modelCache({ hub: { token } }).',
  })
}

function makeCache({ runId, output }: Session, options: Options): ModelCache {
  return new ModelCache({
    ...options,
    run: { id: runId, pid: process.pid },
    onDebug: options.debug ? output.note : undefined,
    onWarning: output.note,
    whenUnusable: 'temporary',
  })
}

function cacheKey(options: Options): string {
  return JSON.stringify(cacheSettings(options))
}
