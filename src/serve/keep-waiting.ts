import type { IncomingMessage, ServerResponse } from 'node:http'
import { originals } from '../platform/originals.ts'

// Half of the time for which huggingface_hub waits for a byte (HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_ETAG_TIMEOUT are ten seconds).
const EVERY_MS = 5_000

/**
 * Has huggingface_hub of Python wait for an answer for as long as `work` takes: it gets `100 Continue` every few seconds. Any client
 * has to skip such responses (RFC 9110, 15.2), but `fetch` of Node.js takes them for an error (lib/dispatcher/client-h1.js of undici).
 */
export async function keepWaiting<T>(
  request: IncomingMessage,
  response: ServerResponse,
  work: () => Promise<T>,
  everyMs = EVERY_MS,
): Promise<T> {
  const isPython = /\bhf_hub\/\d/.test(request.headers['user-agent'] ?? '')
  if (!isPython || request.httpVersion !== '1.1') return work()
  const timer = originals.setInterval(() => {
    if (!response.destroyed) response.writeContinue()
  }, everyMs)
  try {
    return await work()
  } finally {
    originals.clearInterval(timer)
  }
}
