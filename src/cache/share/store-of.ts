import type { RemoteSettings } from '../../config/remote-settings.ts'
import { asSentence, ModelCacheError, messageOf } from '../../model/errors.ts'
import { remoteMode } from '../../remote/mode.ts'
import { openStore } from '../../remote/open-store.ts'
import type { Remote } from '../../remote/remote.ts'
import type { RemoteStore } from '../../remote/store.ts'
import type { CacheContext } from '../context/context.ts'

/** The settings of the remote. Throws `INVALID_OPTION` if there is none. */
export function remoteOf({ options }: CacheContext): RemoteSettings {
  if (options.remote) return options.remote
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Option `remote`',
    reason: 'There is no remote.',
    nextStep: 'Set the option `remote` of this package, or the variable MODEL_CACHE_REMOTE.',
  })
}

/** Opens the store of the remote for reading. Throws `INVALID_OPTION` without a remote, and `REMOTE_UNUSABLE`. */
export async function readableStore(context: CacheContext): Promise<RemoteStore> {
  const settings = remoteOf(context)
  if (context.isRemoteOffline)
    throw unusable(settings, 'The cache is offline.', 'Unset MODEL_CACHE_OFFLINE, or the option `offline`.')
  try {
    return await openStore(settings, context.env)
  } catch (error) {
    if (error instanceof ModelCacheError) throw error
    throw unusable(settings, messageOf(error), '`npx vitest-model-cache doctor` says what is missing.')
  }
}

/**
 * The remote, if this process may write to it. Throws `INVALID_OPTION` without a remote, and `REMOTE_UNUSABLE` with the
 * reason.
 */
export async function writableRemote(context: CacheContext): Promise<Remote> {
  const settings = remoteOf(context)
  const mode = remoteMode(settings, context.env)
  if (mode.mode === 'read')
    throw unusable(
      settings,
      `It is only read here. ${mode.reason}`,
      "Nothing was changed. Where it may be written, set its credentials, or `remote: { url, mode: 'read-write' }`.",
    )
  const doctor = 'Nothing was changed. `npx vitest-model-cache doctor` says what is missing.'
  const remote = await context.remote()
  if (!remote)
    throw unusable(settings, context.isRemoteOffline ? 'The cache is offline.' : 'It could not be opened.', doctor)
  const reason = remote.leftAlone ?? remote.refusal
  if (reason !== undefined) throw unusable(settings, reason, doctor)
  return remote
}

/** `reason`: a sentence. The messages of stores begin with the address, which is not told twice. */
export function unusable({ url, store }: RemoteSettings, reason: string, nextStep: string): ModelCacheError {
  const name = url ?? store?.name ?? 'of your own'
  const asked = reason.startsWith(name) ? 'The remote' : `The remote ${name}`
  return new ModelCacheError({ code: 'REMOTE_UNUSABLE', asked, reason: asSentence(reason), nextStep })
}
