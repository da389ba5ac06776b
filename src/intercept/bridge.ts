import { existsSync } from 'node:fs'
import type { CachedFile, KnownFile } from '../cache/get-file.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { environmentToken } from '../config/token.ts'
import { type AskedSession, type Create, createSession } from '../loading/create-session.ts'
import type { ThreadSettings } from '../loading/session-threads.ts'
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
  /** The URLs of the hubs whose reads are answered: origin and base path, without a slash at the end. */
  bases: string[]
  threads: ThreadSettings
  onServed: (served: CachedFile) => void
  /** A runtime loaded a cached file. `file` is the path on disk, the span is on the clock `monotonic`. */
  onLoaded: (file: string, span: Span) => void
  /** `test` is the result of `whichTest` when the request began. */
  onFailed: (repo: string, error: unknown, test?: string) => void
  /** The id of the test that runs now; undefined where none or several run. */
  whichTest?: () => string | undefined
}

/** The way from code that does not import this package to the cache. */
export interface Bridge {
  bases: string[]
  /** Replaces `fetch` for a URL below one of the bases. The response is of the class `answers`, if that is given. */
  fetch(
    original: typeof fetch,
    input: RequestInfo | URL,
    init?: RequestInit | null,
    answers?: typeof Response,
  ): Promise<Response>
  /**
   * Finds a file for a loader that opens files itself. Returns `absent` if the repo has no such file, and undefined if the loader
   * has to look itself. For a probe only the size is returned.
   */
  locate(url: string, options: LocateOptions): Promise<{ file?: string; size: number } | 'absent' | undefined>
  exists(path: string): boolean
  /** Creates a session of ONNX Runtime for a loader. `create` calls the loader's own ONNX Runtime. */
  createSession<Session>(asked: AskedSession, create: Create<Session>): Promise<Session>
}

export interface LocateOptions {
  /** The token that the loader would send. */
  token?: string
  /** True for no download: if the file is not cached, the loader looks itself. */
  isLocalOnly?: boolean
  /** True when only its existence and size are wanted. */
  isProbe?: boolean
}

// For these errors the request is passed on, so that the caller gets the Hub's own answer. TOO_LARGE is not among them: the caller
// must not download what the options refuse.
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
  const { cache, bases, threads, onServed, onLoaded, onFailed, whichTest } = settings
  const { offline, hub } = cache.context.options

  /** Returns the result of `look`. If the request is to be passed on to the Hub, the error is returned and not thrown. */
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

  /** A repo that is not public is served to callers that send the token of the cache. */
  async function mayRead(access: Access, token: string | undefined): Promise<boolean> {
    return access === 'public' || (token !== undefined && token === (await environmentToken(cache.context.env)))
  }

  /** Undefined where the cache has no answer. */
  async function answerTo(read: HubRead, request: AskedRequest): Promise<Answer | undefined> {
    const { method, headers, signal } = request
    // The API is asked without a token, so its answer is for every caller.
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

  /** The Hub's refusal, once for each error. Later requests ask the Hub: the repo may have been created since. */
  async function refusalOf(error: ModelCacheError, request: AskedRequest): Promise<Answer | undefined> {
    if (answered.has(error)) return undefined
    answered.add(error)
    return answerRefusal(cache, error.cause, request)
  }

  // Errors of `locate` by URL. The loader fetches the URL itself next, and then gets the refusal.
  const refused = new Map<string, ModelCacheError>()

  return {
    bases,
    exists: existsSync,
    async createSession(asked, create) {
      const start = originals.monotonic()
      const session = await createSession(cache, threads, asked, create)
      // A model that is loaded from its bytes, and not by the path of a file, is not measured.
      if (typeof asked.model === 'string') onLoaded(asked.model, { start, end: originals.monotonic() })
      return session
    },
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
        // The loader's own fetch may not be ours, and would then ask huggingface.co.
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
