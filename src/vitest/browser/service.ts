import { randomBytes } from 'node:crypto'
import type { Manifest, ManifestModel } from '../../cache/context/manifest.ts'
import { ModelCache } from '../../cache/model-cache.ts'
import { cacheSettings, type Options } from '../../config/options.ts'
import type { Answer } from '../../intercept/answer.ts'
import { answerApi } from '../../intercept/answer-api.ts'
import { answerFile, answerHead, answerMissing } from '../../intercept/answer-file.ts'
import type { AskedRequest } from '../../intercept/asked-request.ts'
import { isHubsOwnAnswer } from '../../intercept/bridge.ts'
import { FoldedRequests } from '../../intercept/folded-requests.ts'
import { type HubRead, isReadBy, parseHubUrl } from '../../intercept/hub-url.ts'
import { notAnsweredOffline } from '../../intercept/pass-on.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { modelKey, modelLabel } from '../../model/model.ts'
import type { FileReport } from '../../model/request.ts'
import { type BrowserProvided, PREFIX } from './channel.ts'
import { answerRuntimeFile, installedRuntimes } from './runtimes.ts'

/** The result of a request: an answer, or none. With `isPassedOn` the page sends the request to where it was going. */
export type Result = { answer: Answer } | { error: ModelCacheError | undefined; isPassedOn: boolean }

/** Serves the browsers of one project, and counts what each test file asks for. */
export class BrowserService {
  /** A part of the address: other pages can't guess it. */
  readonly key = randomBytes(16).toString('hex')
  readonly #options: Options
  readonly #runtimes: Map<string, string>
  readonly #requests = new Map<string, FoldedRequests>()
  #manifest: Manifest = { models: [], failures: [] }
  #cache: ModelCache

  constructor(options: Options, root: string) {
    this.#options = options
    this.#runtimes = options.intercept.length > 0 ? installedRuntimes(root) : new Map()
    this.#cache = this.#openCache()
  }

  /** What the browsers have to be told. */
  get provided(): BrowserProvided {
    const { mode, intercept, hub, offline } = this.#options
    const runtimes = [...this.#runtimes.keys()]
    return { address: `${PREFIX}${this.key}/`, mode, intercept, endpoint: hub.endpoint, offline, runtimes }
  }

  /** From now on serves the models of this manifest, and no others. */
  serve(manifest: Manifest): void {
    this.#manifest = manifest
    this.#cache = this.#openCache()
  }

  /** Answers a request for a URL of the Hub, or of a runtime at a CDN. */
  async answer(request: AskedRequest, testFile: string): Promise<Result> {
    const { url, method, signal } = request
    const runtimeFile = await answerRuntimeFile(this.#runtimes, url, method)
    if (runtimeFile) return { answer: runtimeFile }
    const read = parseHubUrl(url, this.#options.intercept)
    if (!read || !isReadBy(method, read)) return { error: undefined, isPassedOn: true }
    const requests = this.#requestsOf(testFile)
    try {
      this.#checkAllowed(read)
      const answer = await this.#answerTo(read, request, requests)
      if (!answer && this.#options.offline) throw notAnsweredOffline(read, request)
      return answer ? { answer } : { error: undefined, isPassedOn: true }
    } catch (error) {
      if (!(error instanceof ModelCacheError) || signal?.aborted) throw error
      if (error.code === 'FILE_NOT_FOUND') return { answer: answerMissing() }
      requests.failed(read.repo, error)
      const isItsOwn = error.code === 'NOT_SET_UP' || isHubsOwnAnswer(error)
      return { error, isPassedOn: isItsOwn && !this.#options.offline }
    }
  }

  /** The report of a test file since the last call. */
  drain(testFile: string): FileReport {
    return this.#requests.get(testFile)?.drain() ?? { requests: [], errors: [] }
  }

  /** The reports of all test files since the last call: pages may ask after their test file ended. */
  drainAll(): ({ testFile: string } & FileReport)[] {
    return [...this.#requests.keys()].map((testFile) => ({ testFile, ...this.drain(testFile) }))
  }

  async #answerTo(read: HubRead, request: AskedRequest, requests: FoldedRequests): Promise<Answer | undefined> {
    if (read.kind === 'api') return answerApi(this.#cache, read, request)
    const { method, headers, signal } = request
    if (method === 'HEAD') return answerHead(await this.#cache.describe(read, read.path, { signal }), headers)
    const cached = await this.#cache.file(read, read.path, { signal })
    requests.served(cached)
    return answerFile(cached, headers)
  }

  /** A page may read only what this run warmed, since any script in the page could ask. */
  #checkAllowed(read: HubRead): void {
    const { repo, revision } = read
    const model = this.#manifest.models.find(
      ({ names, ...warmed }) =>
        (warmed.repo === repo || names.includes(repo)) && (warmed.revision === revision || warmed.commit === revision),
    )
    if (!model) throw this.#notWarmed(read)
    if (model.access !== 'public' && (read.kind === 'api' || !this.#isDeclared(model)))
      throw new ModelCacheError({
        code: 'ACCESS_DENIED',
        asked: `Model ${modelLabel(read)}, in a browser`,
        reason: 'It is not public.',
        nextStep: `To have its files served to browser tests, declare it: modelCache({ models: ['${modelLabel(read)}'] }).`,
      })
  }

  #notWarmed(read: HubRead): ModelCacheError {
    const failure = this.#manifest.failures.find((failure) => modelKey(failure) === modelKey(read))
    if (failure) return new ModelCacheError(failure.error)
    return new ModelCacheError({
      code: 'NOT_SET_UP',
      asked: `Model ${modelLabel(read)}, in a browser`,
      reason: 'Browsers are served only models that were warmed before the tests, and this model was not.',
      nextStep: `Declare it: modelCache({ models: ['${modelLabel(read)}'] }).`,
    })
  }

  #isDeclared({ repo, names, revision }: ManifestModel): boolean {
    return this.#options.models.some(
      (declared) => declared.revision === revision && (declared.repo === repo || names.includes(declared.repo)),
    )
  }

  #requestsOf(testFile: string): FoldedRequests {
    const requests = this.#requests.get(testFile) ?? new FoldedRequests()
    this.#requests.set(testFile, requests)
    return requests
  }

  /** Has no token: for a page the Hub is asked anonymously. Has no lease either: the warm-up has claimed all that is served. */
  #openCache(): ModelCache {
    const { endpoint, concurrency, timeoutMs } = this.#options.hub
    return new ModelCache({
      ...cacheSettings(this.#options),
      hub: { endpoint, concurrency, timeoutMs, isAnonymous: true },
      manifest: this.#manifest,
    })
  }
}

// The services by key, on the global object, for the middleware. Vitest makes the browser's server with an instance of the plugin that
// knows no project, and in a monorepo this module may be loaded twice.
const SERVICES = Symbol.for('vitest-model-cache.browser-services')

function services(): Map<string, BrowserService> {
  const holder: { [SERVICES]?: Map<string, BrowserService> } = globalThis as object
  holder[SERVICES] ??= new Map()
  return holder[SERVICES]
}

/** Opens the service of a project. The middleware finds it by its key until `closeService`. */
export function openService(options: Options, root: string): BrowserService {
  const service = new BrowserService(options, root)
  services().set(service.key, service)
  return service
}

export function findService(key: string): BrowserService | undefined {
  return services().get(key)
}

export function closeService({ key }: BrowserService): void {
  services().delete(key)
}
