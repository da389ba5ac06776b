import type { CacheContext } from '../../cache/context/context.ts'
import { formatDuration } from '../../config/units.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { rootMessage } from '../../net/connection-error.ts'
import { proxyFetch } from '../../net/proxy.ts'
import { originals } from '../../platform/originals.ts'
import { type Check, fail, ok, warn } from './check.ts'

const ANSWER_WITHIN_MS = 5_000
// Signed download URLs are valid for an hour. Ages of models and refs are counted in days.
const CLOCK_MAY_DIFFER_MS = 5 * 60_000

/** Names only the hosts of proxies, because their URLs may hold passwords. */
export async function checkProxy({ env }: CacheContext): Promise<Check> {
  const name = 'proxy'
  try {
    await proxyFetch(env)
  } catch (error) {
    if (error instanceof ModelCacheError) return fail(name, `${error.asked}: ${error.reason}`, error.nextStep)
    throw error
  }
  const set = ['https_proxy', 'http_proxy', 'no_proxy'].flatMap((variable) => {
    const value = env[variable] ?? env[variable.toUpperCase()]
    return value ? [`${variable.toUpperCase()} ${variable === 'no_proxy' ? value : hostOf(value)}`] : []
  })
  return ok(name, set.length > 0 ? set.join(', ') : 'none')
}

function hostOf(value: string): string {
  const url = value.includes('://') ? value : `http://${value}`
  return URL.canParse(url) ? new URL(url).host : '(not a URL)'
}

/** Checks whether the Hub answers, and compares its clock with ours. */
export async function checkHub(context: CacheContext): Promise<Check[]> {
  const name = 'hub'
  const { options } = context
  const { endpoint } = options.hub
  if (options.offline) return [ok(name, `offline: ${endpoint} was not asked`)]
  const started = originals.monotonic()
  try {
    const ask = await context.fetch()
    const answer = await ask(`${endpoint}/api/models?limit=1`, { signal: answerSignal(options.signal) })
    await answer.body?.cancel()
    const took = formatDuration(originals.monotonic() - started)
    return [statusCheck(context, answer.status, took), ...clockChecks(answer.headers.get('date'))]
  } catch (error) {
    options.signal?.throwIfAborted()
    const next =
      'Check the network, the proxy variables and HF_ENDPOINT. With MODEL_CACHE_OFFLINE=1 only cached models are used.'
    return [fail(name, `${endpoint} can't be reached: ${rootMessage(error)}`, next)]
  }
}

/** Aborts with the command, or when no answer came in time. */
export function answerSignal(signal: AbortSignal | undefined): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(ANSWER_WITHIN_MS), ...(signal ? [signal] : [])])
}

function statusCheck({ options }: CacheContext, status: number, took: string): Check {
  const { endpoint } = options.hub
  if (status >= 500)
    return warn(
      'hub',
      `${endpoint} answers HTTP ${status}`,
      'Try again later. status.huggingface.co shows known problems of the Hub.',
    )
  if (status === 429)
    return warn(
      'hub',
      `${endpoint} limits the rate of requests`,
      'Wait some minutes. With a token the limits are higher.',
    )
  if (status === 407)
    return fail(
      'hub',
      'the proxy refuses requests (HTTP 407)',
      'Add a user name and a password to the URLs in the proxy variables.',
    )
  return ok('hub', `${endpoint} answers in ${took}`)
}

function clockChecks(date: string | null): Check[] {
  const theirs = Date.parse(date ?? '')
  if (Number.isNaN(theirs)) return []
  const difference = Math.abs(originals.now() - theirs)
  if (difference < CLOCK_MAY_DIFFER_MS) return [ok('clock', "agrees with the Hub's")]
  const text = `differs from the Hub's by ${formatDuration(difference)}`
  return [warn('clock', text, 'Set the clock: the ages of models and branch names depend on it.')]
}
