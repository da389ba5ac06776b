import { printable } from '../model/printable.ts'
import type { Answer } from '../net/fetch.ts'
import { withTimeLimit } from '../platform/originals.ts'
import { readText } from './read-text.ts'

const LARGEST_BODY_BYTES = 64 << 10
const LONGEST_MESSAGE = 300
// The status alone is enough for an error message, so a slow body is not worth a longer wait.
const WITHIN_MS = 2_000

/**
 * The Hub's message for an error status, as one printable line: the header `X-Error-Message`, else the field `error` of a JSON
 * body. Reads or cancels the body. If the message repeats the token, the token is replaced.
 */
export async function hubMessage(answer: Answer, token: string | undefined): Promise<string | undefined> {
  const text = answer.headers.get('X-Error-Message') ?? (await errorInBody(answer))
  await answer.body?.cancel().catch(() => undefined)
  if (!text?.trim()) return undefined
  const line = printable(token ? text.replaceAll(token, '(the token)') : text).trim()
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}…` : line
}

async function errorInBody(answer: Answer): Promise<string | undefined> {
  if (!/\bjson\b/i.test(answer.headers.get('Content-Type') ?? '')) return undefined
  const late = () => new Error('The body of an error response did not arrive in time')
  try {
    const text = await withTimeLimit(WITHIN_MS, undefined, late, (signal) =>
      readText(answer, {
        ...{ asked: 'An error', endpoint: answer.url, limit: LARGEST_BODY_BYTES },
        watch: { signal, saw: () => undefined },
      }),
    )
    const body: unknown = JSON.parse(text)
    const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
    return typeof error === 'string' ? error : undefined
  } catch {
    // The body is not JSON, too large or broken: it holds no message.
    return undefined
  }
}
