import { randomBytes } from 'node:crypto'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { onTestFinished } from 'vitest'
import { startModelsHub } from './models-hub.ts'

/**
 * A Hub with `org/small` (1,000 bytes) and `org/large` (300,000 bytes), for tests that run during downloads. A test file tells it
 * that its test runs, by a request of `/ran/<name>`.
 */
export async function startPrefetchHub() {
  const { hub, env } = await startModelsHub([])
  hub.addRepo('org/small', { files: { 'weights.bin': randomBytes(1000) } })
  hub.addRepo('org/large', { files: { 'weights.bin': randomBytes(300_000) } })
  return {
    ...{ hub, env, bytes: 301_000 },
    /** The names of the test files whose tests have run, in this order. */
    ran: () => hub.requests.flatMap(({ path }) => path.split('/ran/')[1] ?? []),
    /** Settles when a test has run. */
    hasRun: (name: string) => hub.waitForRequest(({ path }) => path === `/ran/${name}`),
    /** Holds back the download of a repo. Returns a function that ends that for later requests. */
    hold(repo: string, until: Promise<unknown>): () => void {
      const mend = hub.fault({ repo, kind: 'resolve' }, { until })
      onTestFinished(mend)
      return mend
    },
  }
}

/** Makes a cache folder without models at `folder`, with the records of the runs of another one. */
export async function copyRecords(cacheDir: string, folder: string): Promise<void> {
  await mkdir(folder)
  for (const name of ['cache.json', 'runs']) await cp(`${cacheDir}/${name}`, `${folder}/${name}`, { recursive: true })
  await writeFile(`${folder}/cache_metadata.json`, '[]')
}
