import { readFileSync } from 'node:fs'
import process from 'node:process'
import type { Manifest } from '../cache/context/manifest.ts'
import { ModelCache } from '../cache/model-cache.ts'
import type { Run } from '../cache/store/locks/leases.ts'
import type { CacheSettings } from '../config/options.ts'
import type { ThreadSettings } from '../loading/session-threads.ts'
import { printableLines } from '../model/printable.ts'
import { spent } from '../platform/own-time.ts'
import { type Bridge, makeBridge } from './bridge.ts'
import { EventsFile } from './events-file.ts'

/** The settings of a child process of a test, in the environment variable VITEST_MODEL_CACHE_CHILD. No token is part of them. */
export interface ChildSettings {
  run: Run
  cache: CacheSettings
  bases: string[]
  threads: ThreadSettings
  /** The file with the manifest, which is too long for a variable. */
  manifest: string
  /** The start of the path of the file to which this process writes its requests. */
  events: string
  /** The test file that started the process, relative to the root. */
  testFile: string
  debug: boolean
}

/** Makes the bridge of a child process. `started` is when its loading began. */
export function openChild(settings: string, started: number): Bridge {
  const { run, cache, bases, threads, manifest, events, testFile, debug }: ChildSettings = JSON.parse(settings)
  const write = (message: string) => void process.stderr.write(`[model-cache] ${printableLines(message)}\n`)
  const file = new EventsFile(events, testFile, run)
  const bridge = makeBridge({
    cache: new ModelCache({
      ...cache,
      run,
      manifest: readManifest(manifest),
      whenUnusable: 'temporary',
      onDebug: debug ? write : undefined,
      onWarning: write,
    }),
    bases,
    threads,
    onServed: (served) => file.served(served),
    onLoaded: (path, span) => file.loaded(path, span),
    onFailed: (repo, error) => file.failed(repo, error),
  })
  spent('engine', started, debug)
  return bridge
}

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // The run is over. Models are then looked up in the metadata.
    return undefined
  }
}
