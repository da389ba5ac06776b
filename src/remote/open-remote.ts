import type { Environment } from '../config/environment-variables.ts'
import type { RemoteSettings } from '../config/remote-settings.ts'
import { asSentence, messageOf } from '../model/errors.ts'
import { openStore } from './open-store.ts'
import { Remote } from './remote.ts'

interface OpenOptions {
  env: Environment
  /** The run that reads. Undefined outside of runs. */
  runId: string | undefined
  warn: (message: string) => void
  /** Called once, with a message, if the remote can't be used or is left alone. */
  leaveAlone: (message: string) => void
  /** See `Remote`. */
  stallMs: number | undefined
}

/** By run and address. The caches of all projects of a run share a remote, so they also share the knowledge that it is down. */
const opened = new Map<string, Promise<Remote | undefined>>()

/** Opens the remote of a cache. Undefined, with a warning, if that is not possible. */
export function openRemote(settings: RemoteSettings, options: OpenOptions): Promise<Remote | undefined> {
  const { url } = settings
  if (url === undefined || options.runId === undefined) return open(settings, options)
  const key = `${options.runId} ${url}`
  const remote = opened.get(key) ?? open(settings, options)
  opened.set(key, remote)
  return remote
}

async function open(
  settings: RemoteSettings,
  { env, warn, leaveAlone, stallMs }: OpenOptions,
): Promise<Remote | undefined> {
  try {
    return new Remote(await openStore(settings, env), { warn, leaveAlone }, stallMs)
  } catch (error) {
    leaveAlone(`The remote can't be used: ${asSentence(messageOf(error))} What is missing comes from the Hub.`)
    return undefined
  }
}
