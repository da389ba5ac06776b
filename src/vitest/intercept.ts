import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import process from 'node:process'
import type { ModelCache } from '../cache/model-cache.ts'
import { installBridge, makeBridge } from '../intercept/bridge.ts'
import type { ChildSettings } from '../intercept/child.ts'
import { FoldedRequests } from '../intercept/folded-requests.ts'
import preload from '../intercept/preload.cts'
import { foreignValue } from '../platform/originals.ts'
import type { Provided } from './channel.ts'
import { manifestFile } from './child-events.ts'
import { PRELOAD } from './preload-path.ts'

/** What untouched code in a worker asked for, and what makes it come from the cache. */
export interface Interception {
  requests: FoldedRequests
  /** Takes effect for one test file: for its own code, and for the processes that it starts. */
  begin(testFile: string): void
}

export function makeInterception(cache: ModelCache, provided: Provided): Interception {
  const { intercept: bases, cache: settings, run, events, debug } = provided
  const requests = new FoldedRequests()
  const bridge = makeBridge({
    ...{ cache, bases },
    onServed: (served) => requests.served(served),
    onFailed: (repo, error) => requests.failed(repo, error),
  })
  return {
    requests,
    begin(testFile) {
      if (bases.length === 0) return installBridge(undefined)
      installBridge(bridge)
      // Before user code: the window of happy-dom has a class of its own, by which transformers.js 3 knows what to keep.
      preload.wrapFetch(globalThis, foreignValue(globalThis, 'Response') as typeof Response | undefined)
      const own = join(events, randomBytes(6).toString('hex'))
      const child: ChildSettings = {
        ...{ run, cache: settings, bases, testFile, debug },
        manifest: manifestFile(events),
        events: own,
      }
      process.env.VITEST_MODEL_CACHE_CHILD = JSON.stringify(child)
      process.env.NODE_OPTIONS = withPreload(process.env.NODE_OPTIONS)
      // For other languages, which read and write the same layout. Whoever names a place of their own keeps it.
      const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME } = process.env
      if (!HF_HUB_CACHE && !HUGGINGFACE_HUB_CACHE && !HF_HOME) process.env.HF_HUB_CACHE = join(settings.cacheDir, 'hub')
    },
  }
}

/** The user's own options stay in force. Quoted as Node.js reads them: the path may hold spaces. */
function withPreload(options = ''): string {
  const own = `--require=${JSON.stringify(PRELOAD)}`
  return options.includes(own) ? options : `${options} ${own}`.trim()
}
