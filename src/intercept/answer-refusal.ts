import type { ModelCache } from '../cache/model-cache.ts'
import { findToken } from '../config/token.ts'
import { HubHttpError } from '../hub/http.ts'
import { addressAtEndpoint } from '../model/endpoint.ts'
import type { Answer } from './answer.ts'
import { type AskedRequest, bearerOf } from './asked-request.ts'
import { refusal } from './refusal.ts'

// With these statuses a refusal is final. After any other failure the Hub may answer the next request.
const REFUSALS = [401, 403, 404, 410, 451]

/**
 * Answers with the refusal that the cache got from the Hub, if the caller would get the same one: the caller's request would go to
 * the same endpoint, with the same token. Undefined where the Hub has to be asked.
 */
export async function answerRefusal(
  cache: ModelCache,
  cause: unknown,
  request: AskedRequest,
  { isApi = false } = {},
): Promise<Answer | undefined> {
  if (!(cause instanceof HubHttpError) || !REFUSALS.includes(cause.status)) return undefined
  const { hub } = cache.context.options
  const ours = await findToken(hub, cache.context.env)
  const elsewhere = addressAtEndpoint(request.url, hub.endpoint)
  if (elsewhere === undefined && !request.url.startsWith(`${hub.endpoint}/`)) return undefined
  const given = bearerOf(request.headers)
  // A token of huggingface.co is not sent to the configured endpoint.
  const sent = elsewhere === undefined || given === ours ? given : undefined
  return sent === (cause.token === 'sent' ? ours : undefined) ? refusal(cause, { isApi }) : undefined
}
