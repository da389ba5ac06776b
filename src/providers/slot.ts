import type { AnyDefinition, ProviderDefinition } from './definition.ts'
import type { Models } from './models.ts'

/** The state of one worker, or of one vm context. */
export interface WorkerSlot {
  /** The definitions of `defineProvider`, by name. */
  definitions: Map<string, AnyDefinition>
  /** Undefined until the setup file ran. */
  active?: ActiveModels
  /** True once our environment or our setup file has arranged that the models are disposed at the end. */
  willDispose?: boolean
}

/** The models of one worker, or of one vm context. */
export interface ActiveModels {
  models: Models
  disposeAll: () => Promise<void>
}

// The slot is on the global object and not in this module. A worker may load the package twice (by Node.js and by Vite, in a
// monorepo), and both copies must see the same models. A vm context has its own global object, and so its own slot.
const KEY = Symbol.for('vitest-model-cache')

/** The slot of a global object. It is made by the first call. */
export function slotOf(global: object): WorkerSlot {
  const holder: { [KEY]?: WorkerSlot } = global
  holder[KEY] ??= { definitions: new Map() }
  return holder[KEY]
}

/** Has a global object use the slot of another object: the models there, and its definitions. */
export function shareSlot(global: object, slot: WorkerSlot): void {
  const holder: { [KEY]?: WorkerSlot } = global
  holder[KEY] = slot
}

/**
 * Registers an own provider under its name, for `models.provider(name)`. Call it in a module that the option `providers` names, or
 * in a setup file.
 */
export function defineProvider<Instance, Options extends object = object>(
  definition: ProviderDefinition<Instance, Options>,
): ProviderDefinition<Instance, Options> {
  slotOf(globalThis).definitions.set(definition.name, definition)
  return definition
}
