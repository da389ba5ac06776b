import type { CachedModel } from '../cache/cached-model.ts'
import type { Progress } from '../cache/context/progress.ts'
import type { AskedSession, Create } from '../loading/create-session.ts'
import type { Model, ModelSpec } from '../model/model.ts'
import type { Selection } from '../model/selection.ts'

/** The arguments of a provider's `load`. */
export interface LoadContext<Options> {
  /** The model on disk: `directory` and `file(path)` are absolute paths in the cache. */
  model: CachedModel
  options: Options
  /** The project's root folder. A runtime is imported as the project's own code would import it. */
  root: string
}

/** What the providers of this package also get. */
export interface OwnLoadContext<Options> extends LoadContext<Options> {
  /** Creates a session of ONNX Runtime, with the weights of the cached file mapped where that is possible. */
  createSession<Session>(asked: AskedSession, create: Create<Session>): Promise<Session>
}

/** The arguments of a provider's `mock`. In `unit` mode there are no files and no network. */
export interface MockContext<Options> {
  /** The repo id. */
  model: string
  options: Options
}

/** How one runtime loads models. A user registers a definition with `defineProvider`. */
export interface ProviderDefinition<Instance = unknown, Options extends object = object> {
  name: string
  /** Loads a cached model. */
  load(context: LoadContext<Options>): Promise<Instance> | Instance
  /** Called in place of `load` in `unit` mode. A mock should be deterministic, instant, and have the shape of the real instance. */
  mock?(context: MockContext<Options>): Promise<Instance> | Instance
  /** Frees an instance. Called when the last user of the instance has disposed of it. */
  dispose?(instance: Instance): Promise<void> | void
  /** The files that `load` needs. A selection that the user gave with the model goes first. Default: that selection. */
  selection?(options: Options, model: Model): Selection
}

/** A definition of any instance and any options. */
export type AnyDefinition = ProviderDefinition<unknown, never>

/** A loader of models, bound to the cache. */
export interface Provider<Instance = unknown, Options extends object = object> {
  readonly name: string
  /** Returns a loaded model. The same arguments in one worker return the same instance. */
  load(model: ModelSpec, options?: Options): Promise<Instance>
  /** Downloads the files into the cache, without loading them. */
  download(model: ModelSpec, options?: Options & { onProgress?: (progress: Progress) => void }): Promise<void>
  /** Removes the model from the cache. Throws `IN_USE` while another live run uses it. */
  remove(model: ModelSpec): Promise<void>
  /** True when `load` would need no network. */
  isDownloaded(model: ModelSpec, options?: Options): Promise<boolean>
  /** True when `load` would return an instance that is loaded already. */
  isLoaded(model: ModelSpec, options?: Options): boolean
  /** The models in the cache, as `org/name` or `org/name@revision`. */
  list(): Promise<string[]>
  /** Ends this provider's use of all instances that it loaded. An instance without users is freed. */
  dispose(): Promise<void>
}
