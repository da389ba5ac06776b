import { existsSync } from 'node:fs'
import type { CacheContext } from './context/context.ts'
import { releaseRun } from './store/locks/leases.ts'
import { removeTemporaryFolder, temporaryFolder } from './store/temporary-folder.ts'

/** Ends all claims of the run that the cache works for, and removes the temporary folder that replaced the cache. */
export async function endRun(context: CacheContext): Promise<void> {
  await context.release()
  const { run, cacheDir, hub } = context.options
  if (!run) return
  const replaced = { cacheDir, endpoint: hub.endpoint, runId: run.id }
  if (existsSync(temporaryFolder(replaced))) await removeTemporaryFolder(replaced)
  releaseRun(context.layout, run.id)
}
