import type { Manifest } from '../cache/context/manifest.ts'
import type { Run } from '../cache/store/locks/leases.ts'
import type { CacheSettings, Mode } from '../config/options.ts'

/** What the main process tells the workers: JSON. No token is ever part of it. */
export interface WorkerSettings {
  run: Run
  /** The project's root folder. */
  root: string
  mode: Mode
  debug: boolean
  cache: CacheSettings
  /** The URLs of the hubs whose reads are answered from the cache; empty where none is answered. */
  intercept: string[]
  /** The folder in which child processes find the manifest and leave their reports. */
  events: string
  /** The Hugging Face cache that programs in other languages may fill; undefined where the cache folder is not ours to write to. */
  hub: string | undefined
  manifest: Manifest
}
