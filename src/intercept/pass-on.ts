import type { ModelCache } from '../cache/model-cache.ts'
import { findToken } from '../config/token.ts'
import { addressAtEndpoint } from '../model/endpoint.ts'
import { ModelCacheError } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import { type AskedRequest, bearerOf, headersOf } from './asked-request.ts'
import type { HubRead } from './hub-url.ts'

/** Sends a read that the cache does not answer to its URL. A request for huggingface.co goes to the configured endpoint. */
export async function passOn(
  cache: ModelCache,
  request: AskedRequest,
  original: typeof fetch,
  input: RequestInfo | URL,
  init?: RequestInit | null,
): Promise<Response> {
  const { hub } = cache.context.options
  const elsewhere = addressAtEndpoint(request.url, hub.endpoint)
  if (elsewhere === undefined) return original(input, init ?? undefined)
  const given = typeof input === 'object' && 'url' in input ? input : undefined
  const token = await findToken(hub, cache.context.env)
  const isTokenOfEndpoint = token !== undefined && token === bearerOf(request.headers)
  // The configured endpoint must not get a token or a cookie of huggingface.co.
  const headers = headersOf(init?.headers ?? given?.headers).filter(
    ([name]) => (name !== 'authorization' || isTokenOfEndpoint) && name !== 'cookie' && name !== 'host',
  )
  const { method } = request
  const body = method === 'POST' ? (init?.body ?? (await given?.clone().text())) : undefined
  const redirect = init?.redirect ?? given?.redirect ?? 'follow'
  const signal = init?.signal ?? given?.signal
  return original(elsewhere, { method, headers, body, redirect, signal })
}

/** The error for a caller without the token that the repo needs. With `isOffline` the request is not passed on to the Hub either. */
export function notForCaller({ repo, revision }: HubRead, isOffline: boolean): ModelCacheError {
  return new ModelCacheError({
    code: isOffline ? 'OFFLINE' : 'ACCESS_DENIED',
    asked: `Model ${modelLabel({ repo, revision })}`,
    reason: `The repo is not known to be public, and the request carries no token that opens it${isOffline ? '. The Hub can not be asked: the cache is offline' : ''}.`,
    nextStep: isOffline
      ? 'Run once while online: then it is known whether everybody may read the repo. Or send the token of HF_TOKEN along.'
      : 'Send the token of HF_TOKEN along.',
  })
}

/** The error for a request that the cache can't answer while it is offline. */
export function notAnsweredOffline({ repo, revision }: HubRead, { method, url }: AskedRequest): ModelCacheError {
  return new ModelCacheError({
    code: 'OFFLINE',
    asked: `${method} ${url.split('?', 1)[0]}`,
    reason: 'The cache has no answer to this request, and it is offline.',
    nextStep: `Run it once while online, or warm the model: \`npx vitest-model-cache warm ${modelLabel({ repo, revision })}\`.`,
  })
}
