import type { CachedModel } from '../cache/cached-model.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import type { Mode } from '../config/options.ts'
import type { ThreadSettings } from '../loading/session-threads.ts'
import { noMock } from '../mocks/unit-mode-error.ts'
import { describeModel, type Model, type ModelSpec, modelKey, modelLabel, parseModel } from '../model/model.ts'
import type { RequestEvent } from '../model/request.ts'
import { parseRevision } from '../model/revision.ts'
import { selectionKey } from '../model/selection.ts'
import { originals } from '../platform/originals.ts'
import type { OwnLoadContext, Provider, ProviderDefinition } from './definition.ts'
import type { Recorder } from './recorder.ts'

/** The settings that all providers of a worker share. */
export interface ProviderSettings {
  /** Loads the engine. Called when the first model is asked for. */
  openCache: () => Promise<ModelCache>
  mode: Mode
  recorder: Recorder
  /** The project's root folder. */
  root: string
  threads: ThreadSettings
  /** The id of the test that runs now; undefined where none or several run. */
  whichTest?: () => string | undefined
}

interface Loaded {
  instance: Promise<unknown>
  /** The request that loaded the instance; undefined while it loads. */
  request?: RequestEvent
  users: Set<object>
  dispose: (instance: unknown) => Promise<void> | void
}

/** Makes providers that use one cache. The providers of one factory share their instances. */
export class ProviderFactory {
  readonly #loaded = new Map<string, Loaded>()

  constructor(readonly settings: ProviderSettings) {}

  /** Makes a provider. Its `dispose` ends only its own use of instances. */
  create<Instance, Options extends object>(
    definition: ProviderDefinition<Instance, Options>,
  ): Provider<Instance, Options> {
    const user = {}
    const { openCache, mode } = this.settings
    const isUnit = mode === 'unit'
    const modelOf = (spec: ModelSpec, options?: Options) => selectedModel(definition, spec, options)
    return {
      name: definition.name,
      load: (spec, options) => this.#load(definition, user, spec, options),
      download: async (spec, options) => {
        if (isUnit) return
        const model = modelOf(spec, options)
        await (await openCache()).get(model, { onProgress: options?.onProgress })
      },
      remove: async (spec) => {
        if (!isUnit) await (await openCache()).remove(parseModel(spec))
      },
      isDownloaded: async (spec, options) => isUnit || (await openCache()).has(modelOf(spec, options)),
      isLoaded: (spec, options) => this.#loaded.has(instanceKey(definition.name, modelOf(spec, options), options)),
      list: async () => (isUnit ? [] : (await (await openCache()).list()).map(modelLabel)),
      dispose: () => this.#release((loaded) => loaded.users.delete(user)),
    }
  }

  /** Frees all instances, also those that are in use. */
  async disposeAll(): Promise<void> {
    await this.#release((loaded) => {
      loaded.users.clear()
      return true
    })
  }

  async #load<Instance, Options extends object>(
    definition: ProviderDefinition<Instance, Options>,
    user: object,
    spec: ModelSpec,
    options?: Options,
  ): Promise<Instance> {
    const started = originals.monotonic()
    const model = selectedModel(definition, spec, options)
    const key = instanceKey(definition.name, model, options)
    const known = this.#loaded.get(key)
    if (known) {
      known.users.add(user)
      const isLoaded = known.request !== undefined
      const instance = (await known.instance) as Instance
      // A call during the load waits for it. That request is reported already, so this one has no lookup time.
      const lookupMs = isLoaded ? originals.monotonic() - started : 0
      if (known.request) this.settings.recorder.servedFromMemory(known.request, lookupMs)
      return instance
    }
    const loaded: Loaded = {
      instance: this.#make(definition, model, options, (request) => {
        loaded.request = request
      }),
      users: new Set([user]),
      dispose: (instance) => definition.dispose?.(instance as Instance),
    }
    this.#loaded.set(key, loaded)
    try {
      const instance = (await loaded.instance) as Instance
      whenDisposed(instance, () => {
        if (this.#loaded.get(key) === loaded) this.#loaded.delete(key)
      })
      return instance
    } catch (error) {
      this.#loaded.delete(key)
      throw error
    }
  }

  async #make<Instance, Options extends object>(
    definition: ProviderDefinition<Instance, Options>,
    model: Model,
    given: Options | undefined,
    onRequest: (request: RequestEvent) => void,
  ): Promise<Instance> {
    const { mode, recorder, root, threads, openCache } = this.settings
    const options = (given ?? {}) as Options
    if (mode === 'unit') {
      if (!definition.mock) throw noMock(`Provider "${definition.name}"`)
      const mock = await definition.mock({ model: model.repo, options })
      recorder.mocked()
      return mock
    }
    const at = originals.now()
    const cached = await this.#find(model)
    const started = originals.monotonic()
    const ended = recorder.loading(cached.directory)
    try {
      const context: OwnLoadContext<Options> = {
        ...{ model: cached, options, root },
        createSession: async (asked, create) => {
          const { createSession } = await import('../loading/create-session.ts')
          return createSession(await openCache(), threads, asked, create)
        },
      }
      const instance = await definition.load(context)
      onRequest(recorder.served(model, cached, originals.monotonic() - started, at))
      return instance
    } catch (error) {
      // The cache served the request. A runtime that can't load the files is no failure of the cache.
      recorder.served(model, cached, null, at)
      throw error
    } finally {
      ended()
    }
  }

  async #find(model: Model): Promise<CachedModel> {
    const { openCache, recorder, whichTest } = this.settings
    const test = whichTest?.()
    try {
      return await (await openCache()).get(model)
    } catch (error) {
      recorder.failed(model, error, test)
      throw error
    }
  }

  async #release(giveUp: (loaded: Loaded) => boolean): Promise<void> {
    const freed: Loaded[] = []
    for (const [key, loaded] of this.#loaded) {
      if (!giveUp(loaded) || loaded.users.size > 0) continue
      this.#loaded.delete(key)
      freed.push(loaded)
    }
    await Promise.all(
      freed.map(async ({ instance, dispose }) => {
        // The caller got the error of a load that failed. There is nothing to free.
        const value = await instance.catch(() => undefined)
        if (value !== undefined) await dispose(value)
      }),
    )
  }
}

/** Calls `forget` when a test frees the instance by the instance's own method. The next test must not get a freed instance. */
function whenDisposed(instance: unknown, forget: () => void): void {
  if ((typeof instance !== 'object' && typeof instance !== 'function') || instance === null) return
  for (const name of ['dispose', 'release']) {
    const free: unknown = Reflect.get(instance, name)
    if (typeof free !== 'function') continue
    const value = (...args: unknown[]) => {
      forget()
      return Reflect.apply(free, instance, args)
    }
    Reflect.defineProperty(instance, name, { value, configurable: true, writable: true })
  }
}

/** The model with the selection of the provider. The parts of the selection that the user gave replace those of the provider. */
function selectedModel<Instance, Options extends object>(
  definition: ProviderDefinition<Instance, Options>,
  spec: ModelSpec,
  given?: Options,
): Model {
  const options = (given ?? {}) as Options
  const model = atRevision(parseModel(spec), options)
  const own = Object.fromEntries(Object.entries(model.selection).filter(([, value]) => value !== undefined))
  return { ...model, selection: { ...definition.selection?.(options, model), ...own } }
}

/** The model at the revision among the options, where transformers.js takes it. A revision of the model itself goes first. */
function atRevision(model: Model, options: { revision?: unknown }): Model {
  if (model.revision !== 'main' || typeof options.revision !== 'string') return model
  return { ...model, revision: parseRevision(options.revision, `Model ${model.repo}`) }
}

/** Equal arguments have equal keys. Callbacks are no part of the key. */
function instanceKey(provider: string, model: Model, options?: object): string {
  return JSON.stringify([
    provider,
    modelKey(model),
    selectionKey(model.selection),
    describeModel(model),
    sorted(options ?? {}),
  ])
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? `${value}n` : value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined && typeof item !== 'function')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}
