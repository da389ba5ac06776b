import type { CacheContext } from '../../cache/context/context.ts'
import { findToken, withheldToken } from '../../config/token.ts'
import { rootMessage } from '../../hub/http.ts'
import { readText } from '../../hub/read-text.ts'
import { type Check, fail, ok, warn } from './check.ts'
import { answerSignal } from './network.ts'

const NAME = 'token'
const LARGEST_ANSWER_BYTES = 1 << 20

/** Whose token there is, by what the Hub says; never the token itself. `canAsk` is false where no request can go out. */
export async function checkToken(context: CacheContext, canAsk: boolean): Promise<Check> {
  const { options, env } = context
  const { endpoint } = options.hub
  const withheld = await withheldToken(options.hub, env)
  if (withheld === 'plain http')
    return warn(NAME, `there is one, and none is sent over plain http to ${endpoint}`, 'Name the endpoint with https.')
  if (withheld === 'other endpoint')
    return warn(
      NAME,
      `the one that there is belongs to another endpoint, and is not sent to ${endpoint}`,
      `Set HF_ENDPOINT to ${endpoint} where the token is for that, or set \`hub.token\`.`,
    )
  const token = await findToken(options.hub, env)
  if (token === undefined)
    return ok(NAME, 'none: public models need none; for others set HF_TOKEN or run `hf auth login`')
  if (options.offline || !canAsk)
    return warn(
      NAME,
      `there is one for ${endpoint}, not checked${options.offline ? ': offline' : ''}`,
      'Run `doctor` where the Hub can be asked.',
    )
  return ask(context, token)
}

async function ask(context: CacheContext, token: string): Promise<Check> {
  const { endpoint } = context.options.hub
  const notChecked = (why: string) =>
    warn(NAME, `there is one for ${endpoint}, not checked: ${why}`, 'Nothing is known of it until a model needs it.')
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
        `${endpoint} refuses the one that there is (HTTP 401)`,
        `It may have expired: replace it by one from ${endpoint}/settings/tokens, or unset it.`,
      )
    if (!answer.ok) return notChecked(`the Hub answered HTTP ${answer.status}`)
    const text = await readText(answer, { asked: 'The token', endpoint, watch, limit: LARGEST_ANSWER_BYTES })
    const who: unknown = JSON.parse(text)
    const name = typeof who === 'object' && who !== null && 'name' in who ? who.name : undefined
    return typeof name === 'string'
      ? ok(NAME, `that of ${name} at ${endpoint}`)
      : notChecked('the Hub did not say whose it is')
  } catch (error) {
    context.options.signal?.throwIfAborted()
    return notChecked(rootMessage(error))
  }
}
