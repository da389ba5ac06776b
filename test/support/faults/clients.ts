import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pLimit from 'p-limit'
import { ModelCache, ModelCacheError } from '../../../src/cache/index.ts'
import { kill } from '../kill.ts'
import type { PeerName, PeerOrder, PeerReport } from './peer.ts'

// The time limit of a peer after a fault that sends nothing more. undici, which both peers use, fails only after five minutes.
const PATIENCE_MS = 3_000
// The stall time of our client, instead of 30 s.
const STALL_MS = 1_000
// The time limit of all other jobs, which end long before.
const LIMIT_MS = 250_000
// With more jobs at the same time, two cores would be the limit.
const CONCURRENCY = 6

/** The outcome of a run; our errors are shown by their code. */
export type Outcome = 'ok' | 'error' | 'hangs' | `\`${string}\``

/** One model to get. */
export interface Job {
  repo: string
  /** True if the server sends nothing more after the fault. */
  isEndless: boolean
  /** Settles when the fault is applied to a request of the job. */
  met: Promise<unknown>
}

/**
 * Gets all models, as a new process would. Returns the outcomes in the order of the jobs. The files of a model are stored in
 * `<folder>/<its repo>`.
 */
export type Client = (hubUrl: string, folder: string, jobs: Job[]) => Promise<Outcome[]>

export const CLIENTS = {
  ours: runOurs,
  hub: (...args) => runPeer('hub', ...args),
  transformers: (...args) => runPeer('transformers', ...args),
} satisfies Record<string, Client>

export type ClientName = keyof typeof CLIENTS

async function runOurs(hubUrl: string, folder: string, jobs: Job[]): Promise<Outcome[]> {
  const limit = pLimit(CONCURRENCY)
  return Promise.all(
    jobs.map((job) => {
      const run = () => within(LIMIT_MS, askOurs(hubUrl, folder, job))
      return job.isEndless ? run() : limit(run)
    }),
  )
}

async function askOurs(hubUrl: string, folder: string, { repo, isEndless }: Job): Promise<Outcome> {
  const cache = new ModelCache({
    cacheDir: join(folder, repo),
    hub: { endpoint: hubUrl, concurrency: 8 },
    offline: false,
    maxSize: 2 ** 31,
    maxAge: 7 * 86_400_000,
    // The client must not use the token or the login of the machine's owner.
    env: { HF_HOME: join(folder, 'no login') },
    ...(isEndless && { stallMs: STALL_MS }),
  })
  try {
    await cache.get(repo)
    return 'ok'
  } catch (error) {
    return error instanceof ModelCacheError ? `\`${error.code}\`` : 'error'
  }
}

/** Runs a peer in a separate process, which is killed at the end, as a user would end a process that hangs. */
async function runPeer(peer: PeerName, hubUrl: string, folder: string, jobs: Job[]): Promise<Outcome[]> {
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const
  const child = fork(new URL('./peer.ts', import.meta.url), { execArgv: ['--import', 'tsx'], stdio: [...stdio] })
  try {
    const outcomes = outcomesOf(child, jobs)
    const order = jobs.map(({ repo, isEndless }) => ({ repo, isEndless }))
    child.send({ peer, hubUrl, folder, jobs: order, concurrency: CONCURRENCY } satisfies PeerOrder)
    return await Promise.race([outcomes, lossOf(child, peer)])
  } finally {
    if (child.exitCode === null && child.signalCode === null) await kill(child)
  }
}

/** The outcome of each job; `hangs` if the process does not report one in time. */
function outcomesOf(child: ChildProcess, jobs: Job[]): Promise<Outcome[]> {
  const take = new Map<number, (outcome: Outcome) => void>()
  child.on('message', ({ index, outcome }: PeerReport) => take.get(index)?.(outcome))
  return Promise.all(
    jobs.map(({ isEndless, met }, index) => {
      const report = new Promise<Outcome>((resolve) => take.set(index, resolve))
      return isEndless ? Promise.race([report, met.then(() => within(PATIENCE_MS, report))]) : within(LIMIT_MS, report)
    }),
  )
}

/** Rejects when the process ends by itself. */
function lossOf(child: ChildProcess, peer: PeerName): Promise<never> {
  let complaints = ''
  child.stderr?.on('data', (text) => {
    complaints += text
  })
  return new Promise((_, reject) => {
    child.once('exit', () => reject(new Error(`The process of ${peer} ended: ${complaints}`)))
  })
}

async function within(ms: number, outcome: Promise<Outcome>): Promise<Outcome> {
  const timer = new AbortController()
  const late = wait(ms, 'hangs' as const, { signal: timer.signal }).catch(() => 'hangs' as const)
  try {
    return await Promise.race([outcome, late])
  } finally {
    timer.abort()
  }
}
