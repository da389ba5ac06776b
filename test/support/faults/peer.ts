import { once } from 'node:events'
import { join } from 'node:path'
import pLimit from 'p-limit'
import type { Job, Outcome } from './clients.ts'

/** The task of the process. */
export interface PeerOrder {
  peer: PeerName
  hubUrl: string
  folder: string
  jobs: Pick<Job, 'repo' | 'isEndless'>[]
  /** The number of jobs at the same time; endless jobs do not count. */
  concurrency: number
}

/** The report of the process on one job. */
export interface PeerReport {
  index: number
  outcome: Outcome
}

export type PeerName = keyof typeof PEERS

type Ask = (repo: string) => Promise<unknown>

/** Each function loads its library, and returns a function that gets a model as a user of the library would. */
const PEERS = { hub: useHub, transformers: useTransformers } satisfies Record<string, typeof useHub>

async function useHub({ hubUrl, folder }: PeerOrder): Promise<Ask> {
  const { snapshotDownload } = await import('@huggingface/hub')
  return (repo) => snapshotDownload({ repo, cacheDir: join(folder, repo), hubUrl })
}

async function useTransformers({ hubUrl, folder }: PeerOrder): Promise<Ask> {
  const { env, pipeline } = await import('@huggingface/transformers')
  env.remoteHost = hubUrl
  env.allowLocalModels = false
  // The option `cache_dir` is not enough: config.json would still be stored in the default folder below node_modules.
  env.cacheDir = folder
  return async (repo) => {
    const embed = await pipeline('feature-extraction', repo, { dtype: 'fp32' })
    await embed('A dog', { pooling: 'mean', normalize: true })
  }
}

const [order] = (await once(process, 'message')) as [PeerOrder]
const ask = await PEERS[order.peer](order)
const limit = pLimit(order.concurrency)
for (const [index, { repo, isEndless }] of order.jobs.entries()) {
  const report = (outcome: Outcome) => process.send?.({ index, outcome } satisfies PeerReport)
  const run = () =>
    ask(repo).then(
      () => report('ok'),
      () => report('error'),
    )
  void (isEndless ? run() : limit(run))
}
