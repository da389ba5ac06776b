import type { CacheContext } from '../../cache/context/context.ts'
import { probe } from '../../cache/share/probe.ts'
import { StoreCalls } from '../../cache/share/store-calls.ts'
import { readableStore } from '../../cache/share/store-of.ts'
import { formatDuration } from '../../config/units.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { remoteMode } from '../../remote/mode.ts'
import { readSigningKey } from '../../remote/signature.ts'
import { RemoteError, type RemoteFailure } from '../../remote/store.ts'
import { interrupted } from '../interruption.ts'
import { type Check, fail, ok } from './check.ts'

const NAME = 'remote'
const ANSWER_WITHIN_MS = 5_000

const NEXT: Record<RemoteFailure, string> = {
  unreachable: 'Check the address, the network and the proxy variables. MODEL_CACHE_REMOTE=off leaves the remote out.',
  denied: 'Check its credentials: they need the right to read.',
  misused: 'Check the address and the settings of `remote`.',
  full: 'Make room there, for example with `npx vitest-model-cache remote prune --older-than 30d`.',
  busy: 'Try again later.',
  failed: 'Check the server of the remote. MODEL_CACHE_REMOTE=off leaves the remote out.',
}

/** Checks whether the remote answers, and says what may be done with it here. */
export async function checkRemote(context: CacheContext): Promise<Check> {
  const { remote } = context.options
  if (!remote) return ok(NAME, 'none')
  if (context.isRemoteOffline) return ok(NAME, 'offline: it was not asked')
  try {
    const key = readSigningKey(context.env)
    const store = await readableStore(context)
    const calls = new StoreCalls(store, { signal: interrupted, stallMs: ANSWER_WITHIN_MS })
    const tookMs = await probe(calls).finally(() => store.close?.())
    const mode = remoteMode(remote, context.env)
    const parts = [
      `${store.name} answers in ${formatDuration(tookMs)}`,
      `mode ${mode.mode}${key ? `, signed with the key ${key.id}` : ''}`,
      ...(mode.mode === 'read' ? [mode.reason] : []),
    ]
    return ok(NAME, parts.join('; '))
  } catch (error) {
    interrupted.throwIfAborted()
    if (error instanceof ModelCacheError) return fail(NAME, `${error.asked}: ${error.reason}`, error.nextStep)
    if (error instanceof RemoteError) return fail(NAME, messageOf(error), NEXT[error.failure])
    throw error
  }
}
