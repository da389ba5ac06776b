import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from '../intercept/answer.ts'
import { refusal } from '../intercept/refusal.ts'
import { originals } from '../platform/originals.ts'
import { later } from './refuse.ts'

/** How long clients wait, in milliseconds. */
export interface Patience {
  /** Half of the time for which huggingface_hub waits for a byte (HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_ETAG_TIMEOUT). */
  python: number
  /** Less than the time after which this package takes a request for lost. */
  own: number
}

export const PATIENCE: Patience = { python: 5_000, own: 20_000 }

interface Waiting {
  request: IncomingMessage
  response: ServerResponse
  patience: Patience
  /** How long a client should wait until it asks again, in seconds. */
  secondsLeft: () => number
}

/**
 * The result of `work`, which may take minutes: a file is downloaded. Each client is dealt with so that it does not give up.
 *
 * - huggingface_hub of Python gets `100 Continue` every few seconds. Any client has to skip such responses (RFC 9110, 15.2), but `fetch`
 *   of Node.js takes them for an error (lib/dispatcher/client-h1.js of undici).
 * - This package is told when to ask again. It would count requests without an answer as failures.
 */
export async function whileWaiting(
  { request, response, patience, secondsLeft }: Waiting,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const agent = request.headers['user-agent'] ?? ''
  if (agent === 'vitest-model-cache') {
    const tooLate = () => later(refusal({ status: 503, said: 'The file is being downloaded.' }, NO_API), secondsLeft())
    return firstOf(work(), patience.own, tooLate)
  }
  if (!/\bhf_hub\/\d/.test(agent) || request.httpVersion !== '1.1') return work()
  const timer = originals.setInterval(() => {
    if (!response.destroyed) response.writeContinue()
  }, patience.python)
  return work().finally(() => originals.clearInterval(timer))
}

const NO_API = { isApi: false }

/** The result of `work`, or of `instead` if `work` takes longer than `ms`. */
function firstOf<T>(work: Promise<T>, ms: number, instead: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = originals.setTimeout(() => resolve(instead()), ms)
    work.then(resolve, reject).finally(() => originals.clearTimeout(timer))
  })
}
