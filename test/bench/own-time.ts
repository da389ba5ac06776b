// The plugin overhead in the processes of a run: a run in which no test requests a model, and a warm run in which each test file
// requests ten. Measured by the plugin itself (`src/platform/own-time.ts`), and from outside with the time to load it.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { startHub } from '../support/hub/index.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { PROGRAMS, runProgram, type Told } from './programs.ts'
import { interleave, type Sample, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const MODELS = Array.from({ length: 10 }, (_, index) => `org/model-${index}`)

/** Milliseconds, by part. */
type Parts = Record<string, number>

/** The measurements of a run of the fixture, in milliseconds. */
interface Times {
  /** The overhead in the main process. */
  main: Parts
  /** The overhead in the worker of each test file, as the package measures it. */
  own: Parts[]
  /** For each test file, the time before its first test, as Vitest reports it. */
  prepared: number[]
}

export async function ownTime(context: BenchContext): Promise<Findings> {
  const project = await ProjectFolder.create({
    packageDirectory: context.packageDirectory,
    files: { ...FILES, 'warm-run.mjs': PROGRAMS['warm-run.mjs'] },
  })
  const hub = await startHub()
  try {
    for (const model of MODELS)
      hub.addRepo(model, { files: { 'config.json': '{}', 'weights.bin': 'x'.repeat(10_000) } })
    const run = (env: Record<string, string>) => async () => {
      const { exitCode, output } = await project.vitest([], { HF_ENDPOINT: hub.url, ...env })
      if (exitCode !== 0) throw new Error(output)
      return readTimes(project)
    }
    const models = run({ PLUGIN: 'with', MODELS: MODELS.join() })
    // A cold run, and a second one, so that each measured run has the records of two earlier runs to read.
    for (let round = 0; round < 2; round++) await models()
    hub.clearRequests()
    const rounds = context.isQuick ? 3 : 15
    // Models of earlier runs are warmed, so the runs without a model need another cache.
    const cache = { MODEL_CACHE_DIR: join(project.directory, 'never used') }
    const [none, without, empty] = ['with', 'without', 'empty'].map((plugin) =>
      run({ PLUGIN: plugin, MODELS: '', ...cache }),
    )
    const runs = await interleave({ none, without, empty, models } as Record<string, () => Promise<Times>>, rounds)
    if (hub.requests.length > 0) throw new Error('A warm run asked the Hub.')
    const loading = await preloadTimes(project, rounds)
    const { engine } = await interleave({ engine: () => engineTimes(project, hub.url) }, rounds)
    const first: Row = {
      what: "10 models, warm: the engine's part in a process of its own",
      unit: 'ms',
      value: sample(engine.map(({ ms }) => ms)),
    }
    const again: Row = {
      what: '  the same once more in that process',
      unit: 'ms',
      value: sample(engine.map(({ againMs }) => againMs)),
    }
    return { rows: [...rowsOf(runs, loading), first, again] }
  } finally {
    await hub.close()
    await project.remove()
  }
}

/** The times of the engine's work in the main process, in a separate process. */
function engineTimes(project: ProjectFolder, endpoint: string): Promise<Told<'ms' | 'againMs'>> {
  return runProgram(project, ['warm-run.mjs', ...MODELS], { HF_ENDPOINT: endpoint })
}

async function readTimes(project: ProjectFolder): Promise<Times> {
  const read = (name: string) => readFile(join(project.directory, name), 'utf8').catch(() => '{}')
  const main: Omit<Times, 'own'> = JSON.parse(await read('times.json'))
  const own = await Promise.all(['a', 'b', 'c'].map(async (name) => JSON.parse(await read(`own-${name}.json`))))
  return { ...main, own }
}

function rowsOf(runs: Record<string, Times[]>, loading: Record<'worker' | 'child' | 'empty', number[]>): Row[] {
  const { none = [], without = [], empty = [], models = [] } = runs
  const preload = loading.worker.map((ms, index) => ms - (loading.empty[index] ?? 0))
  const child = loading.child.map((ms, index) => ms - (loading.empty[index] ?? 0))
  /** The time of workers with the plugin, minus the time of workers without it. */
  const beyond = (others: Times[]) =>
    none.map(
      ({ prepared }, index) =>
        sample(prepared).median - sample(others[index]?.prepared ?? []).median + (preload[index] ?? 0),
    )
  const ms = (what: string, value: Sample, atMost?: number): Row => ({ what, unit: 'ms', value, atMost })
  return [
    ...mainRows('10 models, warm', models),
    ...mainRows('no model', none),
    ms('10 models, warm: worker, as it counts itself', sample(models.map(ownOfWorkers)), 10),
    ms('no model: worker, as it counts itself', sample(none.map(ownOfWorkers)), 10),
    ms('no model: worker, beyond one with an empty environment and setup file', sample(beyond(empty)), 10),
    ms('  beyond one that has neither', sample(beyond(without))),
    ms('  of it: the preload, loading included', sample(preload)),
    ms('no model: child process, loading included', sample(child), 10),
  ]
}

function mainRows(of: string, runs: Times[]): Row[] {
  const parts = Object.keys(runs[0]?.main ?? {})
  return [
    { what: `${of}: main process`, unit: 'ms', value: sample(runs.map(({ main }) => sumOf(main))), atMost: 30 },
    ...parts.map(
      (part): Row => ({ what: `  of it: ${part}`, unit: 'ms', value: sample(runs.map(({ main }) => main[part] ?? 0)) }),
    ),
  ]
}

/** The median overhead of a run's workers. */
function ownOfWorkers({ own }: Times): number {
  return sample(own.map(sumOf)).median
}

function sumOf(parts: Parts): number {
  return Object.values(parts).reduce((sum, ms) => sum + ms, 0)
}

/** The times to load the preload in a worker, the preload in a child process, and an empty file, in otherwise empty processes. */
async function preloadTimes(
  project: ProjectFolder,
  rounds: number,
): Promise<Record<'worker' | 'child' | 'empty', number[]>> {
  const directory = project.directory
  const [before, after] = [join(directory, 'before.cjs'), join(directory, 'after.cjs')]
  await writeFile(before, 'process.stamp = performance.now()')
  await writeFile(after, 'process.stdout.write(String(performance.now() - process.stamp))')
  const preload = join(directory, 'node_modules/vitest-model-cache/dist/intercept/preload.cjs')
  const settings = JSON.stringify({ bases: ['https://huggingface.co'], run: { id: 'bench', pid: process.pid } })
  const empty = join(directory, 'empty.cjs')
  await writeFile(empty, '')
  const run = (file: string, env: Record<string, string>) => async () => {
    const required = [before, file, after].flatMap((path) => ['--require', path])
    const { stdout } = await execa(process.execPath, [...required, '-e', '0'], { env })
    return Number(stdout)
  }
  const child = run(preload, { VITEST_MODEL_CACHE_CHILD: settings })
  return interleave({ worker: run(preload, {}), child, empty: run(empty, {}) }, rounds)
}

const TEST = `
  import { writeFileSync } from 'node:fs'
  import { afterAll, expect, test } from 'vitest'
  const MODELS = (process.env.MODELS ?? '').split(',').filter(Boolean)
  test('adds', () => expect(1 + 1).toBe(2))
  test.runIf(MODELS.length > 0)('has the models', async ({ models }) => {
    for (const model of MODELS) expect(await models.file(model, 'config.json')).toBeTruthy()
  })
  afterAll(({}, { file }) => {
    const { parts } = process[Symbol.for('vitest-model-cache.own-time')] ?? {}
    const { requests = [] } = file.meta['vitest-model-cache'] ?? {}
    const lookups = requests.reduce((sum, { lookupMs }) => sum + lookupMs, 0)
    const name = file.name.replace('.test.js', '')
    writeFileSync(new URL('./own-' + name + '.json', import.meta.url), JSON.stringify({ ...parts, lookups }))
  })
`

const FILES = {
  'empty.js': '',
  'environment.js': `
    import { builtinEnvironments } from 'vitest/runtime'
    export default builtinEnvironments.node
  `,
  'a.test.js': TEST,
  'b.test.js': TEST,
  'c.test.js': TEST,
  'vitest.config.mjs': `
    import { writeFileSync } from 'node:fs'
    const main = {}
    const prepared = []
    const diagnostics = {
      onTestModuleEnd(module) {
        // The sum of all durations before the first test, because a later stage need not load what an earlier one has loaded.
        const { environmentSetupDuration, prepareDuration, setupDuration, collectDuration } = module.diagnostic()
        prepared.push(environmentSetupDuration + prepareDuration + setupDuration + collectDuration)
      },
    }
    const plugins = []
    if (process.env.PLUGIN === 'with') {
      const started = performance.now()
      const { modelCache } = await import('vitest-model-cache')
      main['loading the plugin'] = performance.now() - started
      plugins.push(modelCache({ models: process.env.MODELS.split(',').filter(Boolean) }))
    }
    process.once('exit', () => {
      const { parts } = process[Symbol.for('vitest-model-cache.own-time')] ?? {}
      writeFileSync(new URL('./times.json', import.meta.url), JSON.stringify({ main: { ...main, ...parts }, prepared }))
    })
    const empty = { environment: './environment.js', setupFiles: ['./empty.js'] }
    export default {
      plugins,
      test: { maxWorkers: 1, reporters: ['dot', diagnostics], ...(process.env.PLUGIN === 'empty' && empty) },
    }
  `,
}
