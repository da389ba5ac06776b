import type { Manifest } from '../cache/context/manifest.ts'
import type { Progress } from '../cache/context/progress.ts'
import type { FileReport } from '../model/request.ts'
import type { AnyDefinition, ProviderDefinition } from './definition.ts'
import type { Models } from './models.ts'

/** What one worker, or one vm context, holds. */
export interface WorkerSlot {
  /** What `defineProvider` registered, by name. */
  definitions: Map<string, AnyDefinition>
  /** Set once the setup file ran. */
  active?: ActiveModels
}

export interface ActiveModels {
  runId: string
  /** Settles when what has to be there before any user code runs is there. */
  ready?: Promise<unknown>
  models: Models
  /** A test file begins: what its code asks of the Hub by itself is served for it. */
  begin: (testFile: string) => void
  /** The ids of the tests that run now: of concurrent ones there are several. */
  running: Set<string>
  /** What is on its way now, for a test that waited too long. */
  underWay: () => Iterable<Progress>
  /** A test timed out while it waited for a download. */
  timedOut: (download: Progress, test?: string) => void
  /** What the warm-up brought in, and what it failed at. */
  manifest: Manifest
  /** What was asked for since the last `drain`. */
  collected: () => FileReport
  /** Takes out what was asked for since the last call. */
  drain: () => FileReport
  /** The meta of the test file that runs, until its report is handed over. */
  openMeta?: object
  disposeAll: () => Promise<void>
}

// On the global object and not in this module: the package may be loaded twice in one worker (by Node.js and by Vite,
// in a monorepo), and both copies must see the same models. A vm context has a global object, so a slot, of its own.
const KEY = Symbol.for('vitest-model-cache')

/** The slot of a global object; made when there is none. */
export function slotOf(global: object): WorkerSlot {
  const holder: { [KEY]?: WorkerSlot } = global
  holder[KEY] ??= { definitions: new Map() }
  return holder[KEY]
}

/**
 * Registers a provider of one's own under its name, for `models.provider(name)`. Call it in a module that the option
 * `providers` names, or in a setup file.
 */
export function defineProvider<Instance, Options extends object = object>(
  definition: ProviderDefinition<Instance, Options>,
): ProviderDefinition<Instance, Options> {
  slotOf(globalThis).definitions.set(definition.name, definition)
  return definition
}
