import type { Manifest } from '../cache/context/manifest.ts'
import type { Run } from '../cache/store/locks/leases.ts'
import type { CacheSettings, Mode } from '../config/options.ts'
import type { ThreadSettings } from '../loading/session-threads.ts'
import type { Workers } from '../model/request.ts'

/** The models that are on their way when the settings are made. Test files wait for those that they need. */
export interface Arrivals {
  /** The file with the manifest of the models that have arrived since. */
  manifest: string
  /** The marks for which a test file waits: files in `events` that are removed when their models have arrived. */
  waits: [testFile: string, marks: string[]][]
}

/** The settings that the main process sends to the workers, as JSON. They never contain a token. */
export interface WorkerSettings {
  run: Run
  /** The project's root folder. */
  root: string
  mode: Mode
  debug: boolean
  cache: CacheSettings
  threads: ThreadSettings
  /** The URLs of the Hubs whose reads are answered from the cache. Empty if none are. */
  intercept: string[]
  /** The folder in which child processes find the manifest and leave their reports. */
  events: string
  /** The Hugging Face cache that programs in other languages may fill. Undefined if the cache folder has no marker or is refused. */
  hub: string | undefined
  manifest: Manifest
  /** Undefined if no model is on its way. */
  arrivals?: Arrivals | undefined
  /** Undefined if test files can't share what a worker has loaded, or if that is not known. */
  workers?: Workers
}
