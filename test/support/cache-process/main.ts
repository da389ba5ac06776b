import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { CachedModel } from '../../../src/cache/cached-model.ts'
import { ModelCache } from '../../../src/cache/model-cache.ts'
import { maintainInBackground } from '../../../src/cache/upkeep/maintenance/maintain-in-background.ts'
import { directFetch } from '../../../src/net/direct-fetch.ts'
import { makeRequest } from '../request.ts'
import { dieAt } from './steps.ts'
import type { Given, ProcessOptions, Task, Turn } from './task.ts'

// Program of a separate process that opens a cache and runs tasks. It reads one task a line, and prints the result of each turn as
// one line.

const { userAgent, isRun, ...options }: ProcessOptions = JSON.parse(process.argv[2] ?? '')
const warnings: string[] = []
const cache = new ModelCache({
  ...options,
  ...(isRun && { run: { id: `run-${process.pid}`, pid: process.pid } }),
  onWarning: (message) => warnings.push(message),
  ...(userAgent && {
    fetch: (input, init) => directFetch(input, { ...init, headers: { ...init?.headers, 'User-Agent': userAgent } }),
  }),
})
const seen = new Map<string, CachedModel>()
let isStopped = false

const verbs: Record<Task['verb'], (models: string[]) => Promise<CachedModel[]>> = {
  async get(models) {
    const given: CachedModel[] = []
    for (const model of models) given.push(await cache.get(model))
    return given
  },
  async warm(models) {
    const results = await cache.warm(models)
    return results.map((result) => {
      if ('error' in result) throw result.error
      return result.cached
    })
  },
  async use(models) {
    const uses = (await cache.list()).filter(({ repo }) => models.includes(repo))
    await cache.recordUses(uses.map(({ repo, revision, commit }) => makeRequest({ repo, revision, commit })))
    return []
  },
  async remove(models) {
    for (const model of models) await cache.remove(model)
    return []
  },
  async maintain() {
    await cache.maintain()
    return []
  },
  async maintainInBackground() {
    await maintainInBackground(cache.context, { run: 'over', isOver: true, onStop: () => undefined })
    return []
  },
  async clean() {
    await cache.clean()
    return []
  },
  async optimize() {
    await cache.optimize({ aloneForMs: 0 })
    return []
  },
  async pin(models) {
    await cache.pin((await cache.list()).filter(({ repo }) => models.includes(repo)))
    return []
  },
  async push(models) {
    const pushed = await cache.push(models)
    for (const { outcome, reason } of pushed) if (outcome !== 'shared') throw new Error(reason)
    return []
  },
  async pack(models) {
    await cache.pack(models)
    return []
  },
  async unpack(models) {
    for (const { error } of await cache.unpack(models)) if (error) throw error
    return []
  },
  async import(models) {
    for (const archive of models) await cache.importFrom(archive)
    return []
  },
  async revisit(models) {
    return models.flatMap((model) => seen.get(model) ?? [])
  },
}

async function turn({ verb, models }: Task): Promise<Turn> {
  try {
    const given = await verbs[verb](models)
    for (const model of given) seen.set(model.repo, model)
    return { given: await Promise.all(given.map(read)), errors: warnings.splice(0) }
  } catch (error) {
    return { given: [], errors: [...warnings.splice(0), String(error)] }
  }
}

async function read(model: CachedModel): Promise<Given> {
  const { repo, tier, directory, bytes, downloadedBytes, files } = model
  const contents: Record<string, string> = {}
  for (const path of [...files.keys()].sort())
    contents[path] = createHash('sha256')
      .update(await readFile(model.file(path)))
      .digest('hex')
  return { repo, tier, directory, bytes, downloadedBytes, contents }
}

async function work(task: Task): Promise<void> {
  isStopped = false
  await dieAt(task.dieAt)
  for (let done = 0; done < (task.turns ?? 1) && !isStopped; done++) {
    console.log(JSON.stringify(await turn(task)))
    // A turn may run without any asynchronous I/O, so the event loop gets a chance to read further lines here.
    await new Promise((resolve) => setImmediate(resolve))
  }
  console.log('done')
}

const lines = createInterface(process.stdin)
lines.on('line', (line) => {
  if (line === 'stop') isStopped = true
  else void work(JSON.parse(line))
})
// The parent process has ended.
lines.on('close', () => process.exit())
console.log('ready')
