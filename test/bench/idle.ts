// What maintenance costs: how much later a run ends, and how much later a run starts while the background process works.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { type Hub, startHub } from '../support/hub/index.ts'
import { manyModels, type SketchedModel, writeCache } from '../support/many-models.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { makeFile } from './made-file.ts'
import { interleave, type Sample, sample } from './rounds.ts'
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
  const [due, nothingDue] = ['due', 'nothing due'].map((name) => join(project.directory, name)) as [string, string]
  await writeCache(due, sketches())
  await writeCache(
    nothingDue,
    manyModels(ENTRIES).map((model) => ({ ...model, idleDays: 0 })),
  )
  const run = (template: string, maintenance: string) => async () => {
    const isChanged = template === due && maintenance !== 'none'
    const cacheDir = isChanged ? join(project.directory, 'cache') : template
    if (isChanged) await copyCache(template, cacheDir)
    await rm(join(cacheDir, 'maintenance.json'), { force: true })
    return runOnce(project, hub, { MODEL_CACHE_DIR: cacheDir, MODEL_CACHE_MAINTENANCE: maintenance })
  }
  for (const template of [due, nothingDue])
    await runOnce(project, hub, { MODEL_CACHE_DIR: template, MODEL_CACHE_MAINTENANCE: 'none' })
  const runs = await interleave(
    {
      none: run(due, 'none'),
      due: run(due, 'background'),
      brief: run(due, 'brief'),
      whole: run(due, 'run'),
      nothing: run(nothingDue, 'background'),
    },
    isQuick ? 3 : 15,
  )
  const without = sample(runs.none.map(({ exitMs }) => exitMs))
  const later = (name: keyof typeof runs): Sample => sample(runs[name].map(({ exitMs }) => exitMs - without.median))
  const what = `${ENTRIES} models`
  return [
    { what: `${what}: end of a run without maintenance`, unit: 'ms', value: without },
    { what: '  later, nothing to do', unit: 'ms', value: later('nothing'), atMost: 100 },
    { what: `  later, ${TO_EXPIRE} to expire, ${TO_PACK} to pack`, unit: 'ms', value: later('due'), atMost: 100 },
    { what: '    `brief`', unit: 'ms', value: later('brief'), atMost: 100 },
    { what: '    `run`', unit: 'ms', value: later('whole') },
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
  await makeFile(large, isQuick ? PACKED_BYTES / 5 : PACKED_BYTES)
  hub.addRepo('org/large', { files: { 'config.json': '{}', 'weights.bin': { path: large } } })
  const template = join(project.directory, 'with a large model')
  const env = { MODELS: `${USED},org/large`, MODEL_CACHE_DIR: template, MODEL_CACHE_MAINTENANCE: 'none' }
  await runOnce(project, hub, env)
  const run = (isPacking: boolean, cold: string) => async () => {
    const cacheDir = join(project.directory, 'cache')
    await copyCache(template, cacheDir)
    const ended = isPacking ? await startPacking(project, hub, cacheDir) : undefined
    const { startMs } = await runOnce(project, hub, {
      ...{ MODEL_CACHE_DIR: cacheDir, MODEL_CACHE_MAINTENANCE: 'none', MODELS: cold },
    })
    await ended
    return startMs
  }
  // Another revision of the model that is packed: its download needs the lock of the same repo.
  hub.addRepo('org/large', { files: { 'config.json': '{"other":true}' } })
  const other = 'org/large@main:config.json'
  const ways = {
    alone: run(false, USED),
    packing: run(true, USED),
    aloneCold: run(false, other),
    packingCold: run(true, other),
  }
  const times = await interleave(ways, isQuick ? 2 : 7)
  return [
    { what: 'start of a warm run: until its first test', unit: 'ms', value: sample(times.alone) },
    { what: '  while 500 MB are packed', unit: 'ms', value: sample(times.packing) },
    { what: 'start of a run that downloads from the repo that is packed', unit: 'ms', value: sample(times.aloneCold) },
    { what: '  while 500 MB are packed', unit: 'ms', value: sample(times.packingCold) },
  ]
}

/** Starts the background process, and waits until it packs. Returns its end. */
async function startPacking(project: ProjectFolder, hub: Hub, cacheDir: string): Promise<Promise<unknown>> {
  const program = join(project.directory, 'node_modules/vitest-model-cache/dist/run/end/maintenance.js')
  const cache = { cacheDir, hub: { endpoint: hub.url }, offline: false, maxSize: 1e12, maxAge: 1e12, packAfter: 0 }
  const task = JSON.stringify({ cache, run: 'bench', isOver: true })
  const child = spawn(project.node, [program], { env: { VITEST_MODEL_CACHE_TASK: task }, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const packs = () => readdir(join(cacheDir, 'cold/packs')).catch(() => [])
  while ((await packs()).length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5))
  return ended
}

/** Much faster than the functions of Node.js for thousands of files. */
async function copyCache(from: string, to: string): Promise<void> {
  // The process of the run before may still work in it.
  while ((await execa('rm', ['-rf', to], { reject: false })).failed);
  await execa('cp', ['-a', from, to])
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
