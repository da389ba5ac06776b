import type { CachedModel } from '../cache/cached-model.ts'
import type { Progress } from '../cache/context/progress.ts'
import type { Model, ModelSpec } from '../model/model.ts'
import type { Selection } from '../model/selection.ts'

/** What a provider gets to make something usable of a model. */
export interface LoadContext<Options> {
  /** The model on disk: `directory` and `file(path)` are absolute paths in the cache. */
  model: CachedModel
  options: Options
  /** The project's root folder: a runtime is imported as the project would import it. */
  root: string
}

/** What a provider gets in `unit` mode, where there is no file and no network. */
export interface MockContext<Options> {
  /** The repo id. */
  model: string
  options: Options
}

/** How one runtime loads models: what a user registers with `defineProvider`. */
export interface ProviderDefinition<Instance = unknown, Options extends object = object> {
  name: string
  /** Makes an instance of a model that is in the cache. */
  load(context: LoadContext<Options>): Promise<Instance> | Instance
  /** Stands in for `load` in `unit` mode: deterministic, instant, in the shape of the real one. */
  mock?(context: MockContext<Options>): Promise<Instance> | Instance
  /** Frees an instance, when its last user has disposed of it. */
  dispose?(instance: Instance): Promise<void> | void
  /** Which files `load` needs, when the model itself does not say. Default: the model's own selection. */
  selection?(options: Options, model: Model): Selection
}

/** Any definition, where what it makes and takes does not matter. */
export type AnyDefinition = ProviderDefinition<unknown, never>

/** A loader of models, bound to the cache. */
export interface Provider<Instance = unknown, Options extends object = object> {
  readonly name: string
  /** Gives a loaded model. The same arguments in one worker give the same instance. */
  load(model: ModelSpec, options?: Options): Promise<Instance>
  /** Brings the files into the cache without loading them. */
  download(model: ModelSpec, options?: Options & { onProgress?: (progress: Progress) => void }): Promise<void>
  /** Removes the model from the cache. Throws `IN_USE` while another live run uses it. */
  remove(model: ModelSpec): Promise<void>
  /** True when `load` would need no network. */
  isDownloaded(model: ModelSpec, options?: Options): Promise<boolean>
  /** True when `load` would give an instance that is there already. */
  isLoaded(model: ModelSpec, options?: Options): boolean
  /** The models in the cache, as `org/name` or `org/name@revision`. */
  list(): Promise<string[]>
  /** Gives up what this provider loaded; an instance is freed with its last user. */
  dispose(): Promise<void>
}
