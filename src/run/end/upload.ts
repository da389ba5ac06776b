import type { ModelCache } from '../../cache/model-cache.ts'
import type { PushedModel } from '../../cache/push.ts'
import { formatDuration, formatSize } from '../../config/units.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { linkedController, originals } from '../../platform/originals.ts'
import type { Remote } from '../../remote/remote.ts'
import { count, labelOf } from '../../report/words.ts'
import type { Session } from '../session.ts'
import { maintainAfterRun } from './maintain-after-run.ts'

// Without a word for longer than this, a run seems to hang.
const QUIET_MS = 3_000
// Shorter than that of `push`: the end of a run waits for it.
const STALL_MS = 10_000

/**
 * Sends to the remote what was noted. It takes no longer than the option `remote.timeout` allows, ends at once on `session.stopUpload`, and
 * never fails the run. Prints one line. After a stop, the next run of the session sends what is left.
 */
export async function uploadModels(session: Session): Promise<void> {
  const { output, toUpload } = session
  const { controller } = linkedController()
  session.stopUpload = () => controller.abort()
  const started = originals.monotonic()
  const elapsed = () => originals.monotonic() - started
  for (const [cache, keys] of toUpload) {
    const { remote } = cache.context.options
    if (!remote) continue
    const timeLimitMs = Math.max(0, Math.round(remote.timeoutMs - elapsed()))
    const beginning = `Sending ${count(keys.size, 'model')} to the remote, for at most ${formatDuration(timeLimitMs)}`
    const timer = originals.setTimeout(() => output.note(beginning), QUIET_MS)
    try {
      const entries = (await cache.list()).filter(({ repo, commit }) => keys.has(`${repo}@${commit}`))
      const { stallMs = STALL_MS } = cache.context.options
      const pushed = await cache.push(entries, { timeLimitMs, stallMs, signal: controller.signal })
      const line = uploadLine(pushed, await cache.context.remote(), elapsed())
      if (line !== undefined) output.note(line)
    } catch (error) {
      if (controller.signal.aborted) return
      // Whoever may not write has done nothing wrong, and of a remote that is down the run has told already.
      const isTold = error instanceof ModelCacheError && error.code === 'REMOTE_UNUSABLE'
      if (isTold) cache.context.debug(messageOf(error))
      else output.note(`Models could not be sent to the remote: ${messageOf(error)}`)
    } finally {
      originals.clearTimeout(timer)
    }
    toUpload.delete(cache)
  }
}

/** Maintains the caches, once nothing of the run is needed any more. Returns those in which something is left to do. */
export async function applyLimits({ output, projects }: Session): Promise<ModelCache[]> {
  const left: ModelCache[] = []
  for (const cache of new Set([...projects.values()].map((project) => project.cache))) {
    if (!(await cache.isWritable())) continue
    const note = (error: unknown) => output.note(`The limits of the cache could not be applied: ${messageOf(error)}`)
    const removed = await maintainAfterRun(cache, { isOver: true, isLast: true }).catch(note)
    if (removed?.isLeft) left.push(cache)
  }
  return left
}

/** What was sent and what is left. Undefined if nothing was, and nothing is. */
function uploadLine(pushed: PushedModel[], remote: Remote | undefined, ms: number): string | undefined {
  const sent = pushed.filter(({ outcome, sentBytes }) => outcome === 'shared' && sentBytes > 0)
  // A warning has told that the remote refused to be written. Another try would not help.
  const isRefused = remote?.refusal !== undefined
  const left = pushed.filter(({ outcome }) => outcome === 'failed' || (outcome === 'left' && !isRefused))
  const bytes = pushed.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
  const what = `Sent ${count(sent.length, 'model')} to ${remote?.name ?? ''} (${formatSize(bytes)}, ${formatDuration(ms)}).`
  if (left.length === 0) return sent.length > 0 ? what : undefined
  const names = left.slice(0, 3).map(labelOf).join(', ')
  const more = left.length > 3 ? ` and ${left.length - 3} more` : ''
  const why = left[0]?.reason ?? ''
  return `${what} Not sent: ${names}${more}. ${why} Continue with \`npx vitest-model-cache push\`.`
}
