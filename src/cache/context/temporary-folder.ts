import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheOptions } from './context.ts'

/** Where the models of a run go that its cache can't take. One for each cache: projects may ask different Hubs for the same names. */
export function temporaryFolder({ cacheDir, hub }: Pick<CacheOptions, 'cacheDir' | 'hub'>, runId: string): string {
  const mark = createHash('sha256').update(`${cacheDir}\0${hub.endpoint}`).digest('hex').slice(0, 8)
  return join(tmpdir(), `vitest-model-cache-${runId}-${mark}`)
}
