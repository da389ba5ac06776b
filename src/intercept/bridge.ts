import { existsSync } from 'node:fs'
import type { CachedFile, KnownFile } from '../cache/get-file.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { environmentToken } from '../config/token.ts'
import { addressAtEndpoint } from '../model/endpoint.ts'
import type { Access } from '../model/entry.ts'
import { type ErrorCode, ModelCacheError } from '../model/errors.ts'
import type { Span } from '../model/spans.ts'
import { hostResponse, originals } from '../platform/originals.ts'
import type { Answer } from './answer.ts'
import { answerApi } from './answer-api.ts'
import { answerFile, answerHead, answerMissing } from './answer-file.ts'
import { answerRefusal } from './answer-refusal.ts'
import { type AskedRequest, askedRequest, bearerOf } from './asked-request.ts'
import { type HubRead, isReadBy, parseHubUrl } from './hub-url.ts'
import { notAnsweredOffline, notForCaller, passOn } from './pass-on.ts'
import { toResponse } from './to-response.ts'

export interface BridgeSettings {
  cache: ModelCache
  /** Origins with base path, no slash at the end, whose reads are answered. */
  bases: string[]
  onServed: (served: CachedFile) => void
  /** A runtime loaded a file of ours, by its path on disk; the span is on the clock `monotonic`. */
  onLoaded: (file: string, span: Span) => void
  /** `test` is what `whichTest` gave when it was asked for. */
  onFailed: (repo: string, error: unknown, test?: string) => void
  /** The id of the one test that runs now. */
  whichTest?: () => string | undefined
}

/** What code that has no import of this package reaches it by. */
export interface Bridge {
  bases: string[]
  /** In place of `fetch`, for a URL below one of the bases. What it gives is of the class `answers`, if one is given. */
  fetch(
    original: typeof fetch,
    input: RequestInfo | URL,
    init?: RequestInit | null,
    answers?: typeof Response,
  ): Promise<Response>
  /**
   * For a loader that opens files itself: `absent` when the repo has none such, undefined when it is not ours to say. A probe
   * gives the size alone.
   */
  locate(url: string, options: LocateOptions): Promise<{ file?: string; size: number } | 'absent' | undefined>
  exists(path: string): boolean
  /** Takes note that a runtime took the time since `started` (on Node.js's own `performance.now`) to load a file. */
  loaded(file: string, started: number): void
}

export interface LocateOptions {
  /** The token that the loader would send. */
  token?: string
  /** No download: what is not cached is left to the loader. */
  isLocalOnly?: boolean
  /** True when only its existence and size are wanted. */
  isProbe?: boolean
}

// The Hub itself says so to the caller: the request is passed on to it. TOO_LARGE is not among them: nobody else may download
// what the options refuse.
const ITS_OWN_ANSWER: ErrorCode[] = [
  'MODEL_NOT_FOUND',
  'REVISION_NOT_FOUND',
  'ACCESS_DENIED',
  'GATED',
  'HUB_ERROR',
  'UNSAFE_PATH',
  'CACHE_UNUSABLE',
]

/** True for an error that the Hub itself would explain to the caller. */
export function isHubsOwnAnswer({ code }: ModelCacheError): boolean {
  return ITS_OWN_ANSWER.includes(code)
}

export function makeBridge(settings: BridgeSettings): Bridge {
  const { cache, bases, onServed, onLoaded, onFailed, whichTest } = settings
  const { offline, hub } = cache.context.options

  /** What `look` gives. It gives the error, and does not throw it, where the answer is the Hub's own. */
  async function find<T extends KnownFile>(
    read: HubRead,
    token: string | undefined,
    look: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T | 'absent' | ModelCacheError> {
    const test = whichTest?.()
    try {
      const found = await look()
      return (await mayRead(found.access, token)) ? found : refuse(read, test)
    } catch (error) {
      if (!(error instanceof ModelCacheError) || signal?.aborted) throw error
      if (error.code === 'FILE_NOT_FOUND') {
        return (await mayRead(await cache.accessOf(read, { signal }), token)) ? 'absent' : refuse(read, test)
      }
      onFailed(read.repo, error, test)
      if (!offline && isHubsOwnAnswer(error)) return error
      throw error
    }
  }

  /** What is not public is for callers with the token that the cache would ask with. */
  async function mayRead(access: Access, token: string | undefined): Promise<boolean> {
    return access === 'public' || (token !== undefined && token === (await environmentToken(cache.context.env)))
  }

  /** Undefined where the cache has no answer. */
  async function answerTo(read: HubRead, request: AskedRequest): Promise<Answer | undefined> {
    const { method, headers, signal } = request
    // The API is asked without a token: every caller gets what everybody may read.
    if (read.kind === 'api') return answerApi(cache, read, request)
    const token = bearerOf(headers)
    if (method === 'HEAD') {
      const known = await find(read, token, () => cache.describe(read, read.path, { signal }), signal)
      if (known === 'absent') return answerMissing()
      return known instanceof ModelCacheError ? refusalOf(known, request) : answerHead(known, headers)
    }
    const cached = await find(read, token, () => cache.file(read, read.path, { signal }), signal)
    if (cached === 'absent') return answerMissing()
    if (cached instanceof ModelCacheError) return refusalOf(cached, request)
    onServed(cached)
    return answerFile(cached, headers)
  }

  function refuse(read: HubRead, test?: string): ModelCacheError {
    const error = notForCaller(read, offline)
    if (!offline) return error
    onFailed(read.repo, error, test)
    throw error
  }

  const answered = new WeakSet<ModelCacheError>()

  /** The Hub's refusal, for the request that it was asked for. Later ones ask the Hub: the repo may have been created meanwhile. */
  async function refusalOf(error: ModelCacheError, request: AskedRequest): Promise<Answer | undefined> {
    if (answered.has(error)) return undefined
    answered.add(error)
    return answerRefusal(cache, error.cause, request)
  }

  // A loader was refused these addresses by `locate`, for these reasons, and fetches them itself next.
  const refused = new Map<string, ModelCacheError>()

  return {
    bases,
    exists: existsSync,
    loaded: (file, started) => onLoaded(file, { start: started, end: originals.monotonic() }),
    async fetch(original, input, init, answers) {
      const request = askedRequest(input, init)
      const read = request && parseHubUrl(request.url, bases)
      if (!read || !isReadBy(request.method, read)) return original(input, init ?? undefined)
      request.signal?.throwIfAborted()
      const refusal = refused.get(request.url)
      refused.delete(request.url)
      const answer = await (refusal ? refusalOf(refusal, request) : answerTo(read, request))
      request.signal?.throwIfAborted()
      if (answer) {
        cache.context.debug(`Answered to fetch: ${request.method} ${request.url} with ${answer.status}`)
        return toResponse(answer, request, answers ?? (await hostResponse()))
      }
      if (offline) throw notAnsweredOffline(read, request)
      return passOn(cache, request, original, input, init)
    },
    async locate(url, { token, isLocalOnly, isProbe }) {
      const read = parseHubUrl(url, bases)
      if (read?.kind !== 'file') return undefined
      if (isLocalOnly && !(await cache.hasFile(read, read.path))) return undefined
      const look = () => cache[isProbe ? 'describe' : 'file'](read, read.path)
      const found = await find<KnownFile | CachedFile>(read, token, look)
      if (found === 'absent') return found
      if (found instanceof ModelCacheError) {
        // The loader may fetch by other means than ours, which would ask huggingface.co.
        if (addressAtEndpoint(url, hub.endpoint)) throw found
        refused.set(new URL(url).href, found)
        return undefined
      }
      if (isProbe || !('file' in found)) return found
      cache.context.debug(`Opened by its loader: ${read.repo} ${read.path}`)
      onServed(found)
      return found
    },
  }
}
