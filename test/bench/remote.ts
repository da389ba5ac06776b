// A large model that is taken from a remote on the same machine and sent to it, compared with a plain stream of the same bytes that is
// hashed. Measures whole processes.
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { blobKey } from '../../src/remote/keys.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { ColdProject, type ColdRun } from './cold-project.ts'
import { costRows, walls } from './cost-rows.ts'
import { serveFolder } from './file-server.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

// With a token a remote over http may be written.
const TOKEN = { MODEL_CACHE_REMOTE_TOKEN: 'token' }

/** One kind of remote. */
interface Place {
  name: string
  /** The address of a folder below the place. */
  at: (folder: string) => string
}

/** The model that goes to and fro: the address of its large object below a remote, and its bytes. */
interface Sent {
  repo: string
  key: string
  bytes: number
  sha256: string
}

export async function remote({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const cold = await ColdProject.create(packageDirectory)
  const folder = join(cold.project.directory, 'remote')
  await mkdir(folder)
  const server = await serveFolder(folder)
  try {
    const bytes = isQuick ? 100_000_000 : 1_000_000_000
    const { repo, sha256 } = await cold.serve('org/large', bytes)
    const tiny = await cold.serve('org/tiny', 1000)
    const sent = { repo, key: blobKey(`sha256:${sha256}`), bytes, sha256 }
    const places: Place[] = [
      { name: 'a folder', at: (name) => pathToFileURL(join(folder, name)).href },
      { name: 'http', at: (name) => `${server.url}/${name}` },
    ]
    const [env, cache] = [{ ...TOKEN, MODEL_CACHE_REMOTE: places[0]?.at('full') ?? '' }, await cold.freshFolder()]
    await cold.node(() => ['warm.mjs', repo, tiny.repo], { MODEL_CACHE_DIR: cache, MODEL_CACHE_MAX_SIZE: '9GB' })()
    await cold.node(() => ['push.mjs'], { ...env, MODEL_CACHE_DIR: cache })()
    const rounds = isQuick ? 1 : 5
    const rows: Row[] = []
    for (const place of places) rows.push(...(await down(cold, place, sent, { folder, tiny: tiny.repo, rounds })))
    for (const place of places) rows.push(...(await up(cold, place, sent, { folder, cache, rounds })))
    return { rows }
  } finally {
    await server.close()
    await cold.remove()
  }
}

async function down(
  cold: ColdProject,
  { name, at }: Place,
  { repo, key, bytes, sha256 }: Sent,
  { folder, tiny, rounds }: { folder: string; tiny: string; rounds: number },
): Promise<Row[]> {
  const env = { MODEL_CACHE_REMOTE: at('full'), MODEL_CACHE_MAX_SIZE: '9GB' }
  const isFolder = env.MODEL_CACHE_REMOTE.startsWith('file:')
  const [program, from] = isFolder
    ? ['one-read.mjs', join(folder, 'full', key)]
    : ['one-stream.mjs', `${at('full')}/${key}`]
  const stream = (env?: Record<string, string>) =>
    cold.node((fresh) => [program, from, join(fresh, 'model.onnx'), sha256], env)
  const found = await interleave(
    {
      ours: cold.node(() => ['restore.mjs', repo], env),
      'one stream': stream(),
      'one synced stream': stream({ SYNC: '1' }),
      'ours, a tiny model': cold.node(() => ['restore.mjs', tiny], env),
    },
    rounds,
  )
  return rowsOf(`${bytes / 1_000_000} MB from ${name}`, found, 1.1)
}

async function up(
  cold: ColdProject,
  { name, at }: Place,
  { key, bytes, sha256 }: Sent,
  { folder, cache, rounds }: { folder: string; cache: string; rounds: number },
): Promise<Row[]> {
  let number = 0
  const target = async () => {
    const fresh = `${name.replace(/\W/g, '')}-${number++}`
    await mkdir(join(folder, fresh))
    return fresh
  }
  const large = join(folder, 'full', key)
  const timed = (run: (fresh: string) => Promise<ColdRun>) => async () => {
    const fresh = await target()
    const cost = await run(fresh)
    if ((await readdir(join(folder, fresh))).length === 0) throw new Error('Nothing was sent.')
    await removeFolder(join(folder, fresh))
    return cost
  }
  const found = await interleave(
    {
      ours: timed((fresh) =>
        cold.node(() => ['push.mjs'], { ...TOKEN, MODEL_CACHE_REMOTE: at(fresh), MODEL_CACHE_DIR: cache })(),
      ),
      'one stream': timed((fresh) =>
        cold.node(() => ['one-upload.mjs', large, `${at(fresh)}/one`, String(bytes), sha256])(),
      ),
    },
    rounds,
  )
  return rowsOf(`${bytes / 1_000_000} MB to ${name}`, found, 1.2)
}

function rowsOf(of: string, found: Record<string, ColdRun[]>, atMost: number): Row[] {
  const {
    ours = [],
    'one stream': stream = [],
    'one synced stream': synced = [],
    'ours, a tiny model': tiny = [],
  } = found
  const againstSynced: Row = {
    what: `${of}: wall against such a stream that is synced to the disk, as ours is`,
    unit: 'x',
    value: paired(walls(ours), walls(synced)),
  }
  const ratio: Row = {
    what: `${of}: wall against a stream with sha256`,
    unit: 'x',
    value: paired(walls(ours), walls(stream)),
    atMost,
  }
  const extra = ours.flatMap(({ peakBytes }, index) => {
    const least = tiny[index]?.peakBytes
    return peakBytes === undefined || least === undefined ? [] : [peakBytes - least]
  })
  const memory: Row = {
    what: `${of}: peak memory beyond that for a tiny model`,
    unit: 'bytes',
    value: sample(extra),
    atMost: 64 * 2 ** 20,
  }
  const costs = Object.entries(found).flatMap(([name, runs]) => costRows(name, runs))
  return [ratio, ...(synced.length > 0 ? [againstSynced] : []), ...(extra.length > 0 ? [memory] : []), ...costs]
}
