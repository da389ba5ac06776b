import type { CacheContext } from '../../cache/context/context.ts'
import { findToken, withheldToken } from '../../config/token.ts'
import { readText } from '../../hub/read-text.ts'
import { rootMessage } from '../../net/connection-error.ts'
import { type Check, fail, ok, warn } from './check.ts'
import { answerSignal } from './network.ts'

const NAME = 'token'
const LARGEST_ANSWER_BYTES = 1 << 20

/** Asks the Hub whose token was found. The token itself is never printed. `canAsk` is false if no request can be sent. */
export async function checkToken(context: CacheContext, canAsk: boolean): Promise<Check> {
  const { options, env } = context
  const { endpoint } = options.hub
  const withheld = await withheldToken(options.hub, env)
  if (withheld === 'plain http')
    return warn(
      NAME,
      `a token was found, but it is not sent to ${endpoint} over plain http`,
      'Use https for the endpoint.',
    )
  if (withheld === 'other endpoint')
    return warn(
      NAME,
      `the token that was found belongs to another endpoint and is not sent to ${endpoint}`,
      `Set HF_ENDPOINT to ${endpoint} if the token is for this endpoint, or set \`hub.token\`.`,
    )
  const token = await findToken(options.hub, env)
  if (token === undefined)
    return ok(NAME, 'none; public models need none. For other models set HF_TOKEN or run `hf auth login`')
  if (options.offline || !canAsk)
    return warn(
      NAME,
      `a token for ${endpoint} was found and not checked${options.offline ? ': offline' : ''}`,
      'Run `doctor` again when the Hub can be reached.',
    )
  return ask(context, token)
}

async function ask(context: CacheContext, token: string): Promise<Check> {
  const { endpoint } = context.options.hub
  const notChecked = (why: string) =>
    warn(NAME, `a token for ${endpoint} was found and not checked: ${why}`, 'Run `doctor` again later.')
  try {
    const { signal } = context.options
    const request = await context.fetch()
    const watch = { signal: answerSignal(signal), saw: () => undefined }
    const headers = { Authorization: `Bearer ${token}`, 'User-Agent': 'vitest-model-cache' }
    const answer = await request(`${endpoint}/api/whoami-v2`, { headers, signal: watch.signal })
    if (!answer.ok) await answer.body?.cancel()
    if (answer.status === 401)
      return fail(
        NAME,
        `${endpoint} refuses the token that was found (HTTP 401)`,
        `It may have expired. Replace it with one from ${endpoint}/settings/tokens, or remove it.`,
      )
    if (!answer.ok) return notChecked(`the Hub answered HTTP ${answer.status}`)
    const text = await readText(answer, { asked: 'The token', endpoint, watch, limit: LARGEST_ANSWER_BYTES })
    const who: unknown = JSON.parse(text)
    const name = typeof who === 'object' && who !== null && 'name' in who ? who.name : undefined
    return typeof name === 'string'
      ? ok(NAME, `of user ${name} at ${endpoint}`)
      : notChecked('the Hub did not say whose token it is')
  } catch (error) {
    context.options.signal?.throwIfAborted()
    return notChecked(rootMessage(error))
  }
}
