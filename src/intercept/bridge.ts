import { existsSync } from 'node:fs'
import type { CachedFile, KnownFile } from '../cache/get-file.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { environmentToken } from '../config/token.ts'
import { type ErrorCode, ModelCacheError } from '../model/errors.ts'
import { hostResponse } from '../platform/originals.ts'
import type { Answer } from './answer.ts'
import { answerApi } from './answer-api.ts'
import { answerFile, answerHead, answerMissing } from './answer-file.ts'
import { type AskedRequest, askedRequest } from './asked-request.ts'
import { type HubRead, parseHubUrl } from './hub-url.ts'
import { toResponse } from './to-response.ts'

export interface BridgeSettings {
  cache: ModelCache
  /** Origins with base path, no slash at the end, whose reads are answered. */
  bases: string[]
  onServed: (served: CachedFile) => void
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
    init?: RequestInit,
    answers?: typeof Response,
  ): Promise<Response>
  /**
   * For a loader that opens files itself: `absent` when the repo has none such, undefined when it is not ours to say. A probe
   * gives the size alone.
   */
  locate(url: string, options: LocateOptions): Promise<{ file?: string; size: number } | 'absent' | undefined>
  exists(path: string): boolean
}

export interface LocateOptions {
  /** The token that the loader would send. */
  token?: string
  /** No download: what is not cached is left to the loader. */
  isLocalOnly?: boolean
  /** True when only its existence and size are wanted. */
  isProbe?: boolean
}

// What the Hub itself says to whoever asks: the request goes on to it.
const ITS_OWN_ANSWER: ErrorCode[] = [
  'MODEL_NOT_FOUND',
  'REVISION_NOT_FOUND',
  'ACCESS_DENIED',
  'GATED',
  'HUB_ERROR',
  'UNSAFE_PATH',
  'CACHE_UNUSABLE',
  'TOO_LARGE',
]

/** True for an error that the Hub itself would explain to whoever asks it. */
export function isHubsOwnAnswer({ code }: ModelCacheError): boolean {
  return ITS_OWN_ANSWER.includes(code)
}

export function makeBridge(settings: BridgeSettings): Bridge {
  const { cache, bases, onServed } = settings

  /** What `look` gives; undefined when the request has to go where it was going. */
  async function find<T extends KnownFile>(
    { repo }: HubRead,
    token: string | undefined,
    look: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T | 'absent' | undefined> {
    const test = settings.whichTest?.()
    try {
      const found = await look()
      return (await mayRead(settings, found, token)) ? found : undefined
    } catch (error) {
      if (!(error instanceof ModelCacheError) || signal?.aborted) throw error
      if (error.code === 'FILE_NOT_FOUND') return 'absent'
      settings.onFailed(repo, error, test)
      if (isHubsOwnAnswer(error)) return undefined
      throw error
    }
  }

  async function answerTo(read: HubRead, request: AskedRequest): Promise<Answer | undefined> {
    const { method, headers, signal } = request
    // Asked for without a token: what everybody may read, whoever asks.
    if (read.kind === 'api') return answerApi(cache, read, request)
    const token = bearerOf(headers.get('Authorization'))
    const range = headers.get('Range')
    if (method === 'HEAD') {
      const known = await find(read, token, () => cache.describe(read, read.path, { signal }), signal)
      return known === 'absent' ? answerMissing() : known && answerHead(known, range)
    }
    if (method !== 'GET') return undefined
    const cached = await find(read, token, () => cache.file(read, read.path, { signal }), signal)
    if (cached === undefined) return undefined
    if (cached === 'absent') return answerMissing()
    onServed(cached)
    return answerFile(cached, range)
  }

  // What a loader was refused here and fetches for itself next: the Hub would only say the same again.
  const refused = new Set<string>()

  return {
    bases,
    exists: existsSync,
    async fetch(original, input, init, answers) {
      const request = askedRequest(input, init)
      if (!request) return original(input, init)
      const read = parseHubUrl(request.url, bases)
      request.signal?.throwIfAborted()
      if (refused.delete(request.url)) return original(input, init)
      const answer = read && (await answerTo(read, request))
      request.signal?.throwIfAborted()
      if (!answer) return original(input, init)
      cache.context.debug(`Answered to fetch: ${request.method} ${request.url} with ${answer.status}`)
      return toResponse(answer, request, answers ?? (await hostResponse()))
    },
    async locate(url, { token, isLocalOnly, isProbe }) {
      const read = parseHubUrl(url, bases)
      if (read?.kind !== 'file') return undefined
      if (isLocalOnly && !(await cache.hasFile(read, read.path))) return undefined
      const passOn = () => void refused.add(new URL(url).href)
      if (isProbe) return (await find(read, token, () => cache.describe(read, read.path))) ?? passOn()
      const found = await find(read, token, () => cache.file(read, read.path))
      if (found === undefined) return passOn()
      if (found === 'absent') return found
      cache.context.debug(`Opened by its loader: ${read.repo} ${read.path}`)
      onServed(found)
      return found
    },
  }
}

/** What is not public is for whoever has the token that the cache would ask with. */
async function mayRead({ cache }: BridgeSettings, { access }: KnownFile, token: string | undefined): Promise<boolean> {
  return access === 'public' || (token !== undefined && token === (await environmentToken(cache.context.env)))
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1]
}
