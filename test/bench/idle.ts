// What maintenance costs: how much later a run ends, and how much later a run starts while the background process works.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '../../src/cache/model-cache.ts'
import { openModelCache } from '../../src/cache/open-model-cache.ts'
import { type Hub, startHub } from '../support/hub/index.ts'
import { manyModels, type SketchedModel, writeCache } from '../support/many-models.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { makeFile } from './made-file.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const USED = 'org/used'
const ENTRIES = 1000
/** How many of the models expired, and how many are to be packed. */
const [TO_EXPIRE, TO_PACK] = [200, 50]
const PACKED_BYTES = 500_000_000

export async function idle({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const project = await ProjectFolder.create({ packageDirectory, files: FILES })
  const hub = await startHub()
  try {
    hub.addRepo(USED, { files: { 'config.json': '{}' } })
    return { rows: [...(await exits(project, hub, isQuick)), ...(await starts(project, hub, isQuick))] }
  } finally {
    await hub.close()
    await project.remove()
  }
}

/** From the end of the last test to the end of the process: with maintenance, and without. */
async function exits(project: ProjectFolder, hub: Hub, isQuick: boolean): Promise<Row[]> {
  const models = {
    nothing: manyModels(ENTRIES).map((model) => ({ ...model, idleDays: 0 })),
    due: sketches(),
    brief: sketches(),
  }
  for (const [name, sketched] of Object.entries(models)) {
    const cacheDir = join(project.directory, name)
    await writeCache(cacheDir, sketched)
    await runOnce(project, hub, { MODEL_CACHE_DIR: cacheDir, MODEL_CACHE_MAINTENANCE: 'none' })
  }
  const run = (name: keyof typeof models, maintenance: string) => async () => {
    const cacheDir = join(project.directory, name)
    await rm(join(cacheDir, 'maintenance.json'), { force: true })
    return runOnce(project, hub, { MODEL_CACHE_DIR: cacheDir, MODEL_CACHE_MAINTENANCE: maintenance })
  }
  // While another run uses the cache, the process in the background ends at once. So each round has something to do.
  const { options } = openModelCache({ cacheDir: join(project.directory, 'due'), hub: { endpoint: hub.url } }).context
  const live = new ModelCache({ ...options, run: { id: 'bench-1-abcdef', pid: process.pid } })
  await live.claim(...(await live.list()).filter(({ repo }) => repo === USED))
  const runs = await interleave(
    {
      none: run('nothing', 'none'),
      nothing: run('nothing', 'background'),
      due: run('due', 'background'),
      brief: run('brief', 'brief'),
    },
    isQuick ? 3 : 15,
  )
  await live.endRun()
  const without = sample(runs.none.map(({ exitMs }) => exitMs))
  const later = (name: keyof typeof runs) => sample(runs[name].map(({ exitMs }) => exitMs - without.median))
  const due = `${TO_EXPIRE} to expire, ${TO_PACK} to pack`
  return [
    { what: `${ENTRIES} models: end of a run without maintenance`, unit: 'ms', value: without },
    { what: '  later, nothing to do', unit: 'ms', value: later('nothing'), atMost: 100 },
    { what: `  later, ${due}`, unit: 'ms', value: later('due'), atMost: 100 },
    { what: '    `brief`', unit: 'ms', value: later('brief'), atMost: 100 },
  ]
}

function sketches(): SketchedModel[] {
  return manyModels(ENTRIES).map((model, index) => {
    const idleDays = index < TO_EXPIRE ? 30 : index < TO_EXPIRE + TO_PACK ? 15 : 0
    return { ...model, idleDays, ...(idleDays === 15 && { files: { 'weights.bin': weightsOf(index) } }) }
  })
}

function weightsOf(seed: number): string {
  return Array.from({ length: 60_000 }, (_, at) => Math.sin(seed * 1000 + at).toString(36)).join('')
}

/** From the start of a run to its first test: alone, and while a large model is packed. */
async function starts(project: ProjectFolder, hub: Hub, isQuick: boolean): Promise<Row[]> {
  const large = join(project.directory, 'large.bin')
  await makeFile(large, PACKED_BYTES)
  const files = { 'config.json': '{}', 'weights.bin': { path: large } }
  const repository = hub.addRepo('org/large', { files })
  const cacheDir = join(project.directory, 'with a large model')
  const env = { MODEL_CACHE_DIR: cacheDir, MODEL_CACHE_MAINTENANCE: 'none' }
  await runOnce(project, hub, { ...env, MODELS: `${USED},org/large` })
  const cache = openModelCache({ cacheDir, hub: { endpoint: hub.url } })
  let commits = 0
  const run = (isPacking: boolean, isNew: boolean) => async () => {
    // An earlier round may have been slower than the packing.
    await cache.unpack()
    const packing = isPacking ? await startPacking(project, hub, cacheDir) : undefined
    if (isNew) repository.addCommit({ files: { 'config.json': String(commits++) } })
    const { startMs } = await runOnce(project, hub, { ...env, ...(isNew && { MODELS: 'org/large:config.json' }) })
    await packing?.ended
    return startMs
  }
  const ways = {
    warm: run(false, false),
    warmPacking: run(true, false),
    cold: run(false, true),
    coldPacking: run(true, true),
  }
  const times = await interleave(ways, isQuick ? 3 : 9)
  const later = (name: keyof typeof times, alone: keyof typeof times) => {
    const { median } = sample(times[alone])
    return sample(times[name].map((ms) => ms - median))
  }
  return [
    { what: 'a warm run, until its first test', unit: 'ms', value: sample(times.warm) },
    { what: '  later, while 500 MB are packed', unit: 'ms', value: later('warmPacking', 'warm') },
    { what: 'a run with a new revision of the repo that is packed', unit: 'ms', value: sample(times.cold) },
    { what: '  later, while 500 MB are packed', unit: 'ms', value: later('coldPacking', 'cold') },
  ]
}

/** Starts the background process, and waits until it packs. */
async function startPacking(project: ProjectFolder, hub: Hub, cacheDir: string): Promise<{ ended: Promise<unknown> }> {
  const program = join(project.directory, 'node_modules/vitest-model-cache/dist/run/end/maintenance.js')
  const cache = { cacheDir, hub: { endpoint: hub.url }, offline: false, maxSize: 1e12, maxAge: 1e12, packAfter: 0 }
  const task = JSON.stringify({ cache, run: 'bench', isOver: true })
  const child = spawn(project.node, [program], {
    env: { VITEST_MODEL_CACHE_TASK: task },
    stdio: 'ignore',
    detached: true,
  })
  const ended = once(child, 'exit')
  const lock = join(cacheDir, 'incoming', '~cold.lock')
  while (!existsSync(lock) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2))
  return { ended }
}

/** Runs the tests once. Returns the milliseconds before the first test, and those after the last one. */
async function runOnce(project: ProjectFolder, hub: Hub, env: Record<string, string>) {
  const started = Date.now()
  const { exitCode, output } = await project.vitest([], { HF_ENDPOINT: hub.url, ...env })
  const ended = Date.now()
  if (exitCode !== 0) throw new Error(output)
  const { first, last } = JSON.parse(await readFile(join(project.directory, 'times.json'), 'utf8'))
  return { startMs: first - started, exitMs: ended - last }
}

const FILES = {
  'vitest.config.mjs': `
    import { defineConfig } from 'vitest/config'
    import { modelCache } from 'vitest-model-cache'

    const models = (process.env.MODELS ?? '${USED}').split(',').map((model) => {
      const [name, file] = model.split(':')
      return file ? { repo: name.split('@')[0], files: [file] } : name
    })
    export default defineConfig({
      plugins: [modelCache({ models, maxAge: '20d', packAfter: '10d', maxSize: '20GB', warm: 'declared' })],
    })
  `,
  'a.test.mjs': `
    import { writeFileSync } from 'node:fs'
    import { afterAll, expect, test } from 'vitest'

    const first = Date.now()
    test('a model is used', async () => {
      const { status } = await fetch(process.env.HF_ENDPOINT + '/${USED}/resolve/main/config.json')
      expect(status).toBe(200)
    })
    afterAll(() => writeFileSync('times.json', JSON.stringify({ first, last: Date.now() })))
  `,
}
