import { once } from 'node:events'
import { join } from 'node:path'
import pLimit from 'p-limit'
import type { Job, Outcome } from './clients.ts'

/** What the process is told to do. */
export interface PeerOrder {
  peer: PeerName
  hubUrl: string
  folder: string
  jobs: Pick<Job, 'repo' | 'isEndless'>[]
  /** How many it asks for at a time, beside the endless ones. */
  concurrency: number
}

/** What it answers, one for each job. */
export interface PeerReport {
  index: number
  outcome: Outcome
}

export type PeerName = keyof typeof PEERS

type Ask = (repo: string) => Promise<unknown>

/** Each loads its library, and gives back how a user of it gets a model. */
const PEERS = { hub: useHub, transformers: useTransformers } satisfies Record<string, typeof useHub>

async function useHub({ hubUrl, folder }: PeerOrder): Promise<Ask> {
  const { snapshotDownload } = await import('@huggingface/hub')
  return (repo) => snapshotDownload({ repo, cacheDir: join(folder, repo), hubUrl })
}

async function useTransformers({ hubUrl, folder }: PeerOrder): Promise<Ask> {
  const { env, pipeline } = await import('@huggingface/transformers')
  env.remoteHost = hubUrl
  env.allowLocalModels = false
  // Not the option `cache_dir`: with it, config.json goes to the default folder all the same, below node_modules.
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
