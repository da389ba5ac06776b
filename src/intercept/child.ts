import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import type { Manifest } from '../cache/manifest.ts'
import { ModelCache } from '../cache/model-cache.ts'
import type { Run } from '../cache/store/leases.ts'
import type { CacheSettings } from '../config/options.ts'
import { messageOf } from '../model/errors.ts'
import { type Bridge, makeBridge } from './bridge.ts'
import { FoldedRequests } from './folded-requests.ts'

/** What a process that a test started is told, by the environment variable VITEST_MODEL_CACHE_CHILD. Never a token. */
export interface ChildSettings {
  run: Run
  cache: CacheSettings
  bases: string[]
  /** A file with the manifest: too long for a variable. */
  manifest: string
  /** The file to which this process's requests are appended, a line each; its name tells processes apart. */
  events: string
  /** The test file that started the process, relative to the root. */
  testFile: string
  debug: boolean
}

/** What a line of the events file holds. */
export type ChildEvent = { testFile: string } & ReturnType<FoldedRequests['drain']>

/** The bridge of a process that a test started. */
export function openChild(settings: string): Bridge {
  const { run, cache, bases, manifest, events, testFile, debug }: ChildSettings = JSON.parse(settings)
  const write = (message: string) => void process.stderr.write(`[model-cache] ${message}\n`)
  const requests = new FoldedRequests()
  process.once('exit', () => {
    const report = requests.drain()
    if (report.requests.length > 0 || report.errors.length > 0)
      append(`${events}-${process.pid}.jsonl`, { testFile, ...report })
  })
  return makeBridge({
    cache: new ModelCache({
      ...cache,
      run,
      manifest: readManifest(manifest),
      whenUnusable: 'temporary',
      onDebug: debug ? write : undefined,
      onWarning: write,
    }),
    bases,
    onServed: (served) => requests.served(served),
    onFailed: (repo, error) => requests.failed(repo, error),
  })
}

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // The run is over: then the metadata says what is there.
    return undefined
  }
}

/** Synchronous: nothing else runs when a process ends. */
function append(path: string, event: ChildEvent): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    appendFileSync(path, `${JSON.stringify(event)}\n`, { mode: 0o600 })
  } catch (error) {
    process.stderr.write(`[model-cache] Requests of a child process are not counted: ${messageOf(error)}\n`)
  }
}
