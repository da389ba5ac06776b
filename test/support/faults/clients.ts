import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pLimit from 'p-limit'
import { ModelCache, ModelCacheError } from '../../../src/cache/index.ts'
import { kill } from '../kill.ts'
import type { PeerName, PeerOrder, PeerReport } from './peer.ts'

// Of a peer that met a fault after which nothing comes. undici, under both, gives up after five silent minutes.
const PATIENCE_MS = 3_000
// Ours, in place of 30 s.
const STALL_MS = 1_000
// All others end by themselves, and long before.
const LIMIT_MS = 250_000
// With more at a time, two cores would be what they wait for.
const CONCURRENCY = 6

/** How a run ended; errors of ours by their code. */
export type Outcome = 'ok' | 'error' | 'hangs' | `\`${string}\``

/** One model to be asked for. */
export interface Job {
  repo: string
  /** The fault that it meets is one after which nothing more comes. */
  isEndless: boolean
  /** Settles when it meets the fault. */
  met: Promise<unknown>
}

/**
 * Asks for all models, as a new process would, and gives the outcomes in the order of the jobs. What is kept of a model
 * lies in `<folder>/<its repo>`.
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
    // Neither the token nor the login of the machine's owner are for this.
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

/** In a process of its own, which is killed in the end: what hangs is ended as a user would end it. */
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

/** What the process says of each job, or that it says nothing. */
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
