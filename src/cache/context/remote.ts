import type { Environment } from '../../config/environment-variables.ts'
import type { RemoteSettings } from '../../config/remote-settings.ts'
import { openRemote } from '../../remote/open-remote.ts'
import type { Remote } from '../../remote/remote.ts'
import type { Layout } from '../store/layout.ts'
import type { CacheOptions } from './options.ts'
import { isLeftAlone, leave, remoteMark } from './remote-mark.ts'

/** The parts of a cache's context that are needed here. */
interface Cache {
  layout: Layout
  options: CacheOptions
  env: Environment
  warn: (message: string) => void
  debug: (message: string) => void
}

/**
 * Opens the remote of a cache. Undefined if that is not possible, or if another process of the run has left it alone. Only the process
 * that does so first warns.
 */
export async function openRemoteOf(
  { layout, options, env, warn, debug }: Cache,
  settings: RemoteSettings,
): Promise<Remote | undefined> {
  const { run, stallMs } = options
  const mark = run && remoteMark(layout, run.id)
  if (mark !== undefined && isLeftAlone(mark)) {
    debug('The remote is not asked: another process of this run has left it alone.')
    return undefined
  }
  // Without the Hub, the errors of the models say it.
  const isTold = options.downloads === false
  const leaveAlone = (message: string) =>
    !isTold && (mark === undefined || leave(layout, mark, message)) ? warn(message) : debug(message)
  return openRemote(settings, { env, runId: run?.id, warn, leaveAlone, stallMs })
}
