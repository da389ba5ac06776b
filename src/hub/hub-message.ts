import { printable } from '../model/printable.ts'
import { withTimeLimit } from '../platform/originals.ts'
import type { Answer } from './fetch.ts'
import { readText } from './read-text.ts'

const LARGEST_BODY_BYTES = 64 << 10
const LONGEST_MESSAGE = 300
// The status says enough: nobody waits for a text that does not come.
const WITHIN_MS = 2_000

/**
 * What the Hub says of its refusal, in one printable line: `X-Error-Message`, else the `error` of a JSON body. Reads the body, or
 * gives it up. A token that the message repeats is left out.
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
  const late = () => new Error('The body of an error did not come')
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
    // A body that is no JSON, too large or broken explains nothing.
    return undefined
  }
}
