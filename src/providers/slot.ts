import type { AnyDefinition, ProviderDefinition } from './definition.ts'
import type { Models } from './models.ts'

/** What one worker, or one vm context, holds. */
export interface WorkerSlot {
  /** What `defineProvider` registered, by name. */
  definitions: Map<string, AnyDefinition>
  /** Set once the setup file ran. */
  active?: ActiveModels
}

/** The models of one worker, or of one vm context. */
export interface ActiveModels {
  models: Models
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
