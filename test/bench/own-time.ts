// What the plugin costs the processes of a run in which no test asks for a model, as measured inside of them.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ProjectFolder } from '../support/project-folder.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Row } from './row.ts'

/** What a run of the fixture wrote: milliseconds. */
interface Times {
  /** Of the plugin's own parts in the main process, by name. */
  main: Record<string, number>
  /** What Vitest says of each test file: its environment and setup files, as they took in the worker. */
  workers: number[]
}

export async function ownTime(context: BenchContext): Promise<Row[]> {
  const project = await ProjectFolder.create({ packageDirectory: context.packageDirectory, files: FILES })
  try {
    const run = (plugin: 'with' | 'without') => async () => {
      const { exitCode, output } = await project.vitest([], { PLUGIN: plugin })
      if (exitCode !== 0) throw new Error(output)
      return JSON.parse(await readFile(join(project.directory, 'times.json'), 'utf8')) as Times
    }
    const rounds = context.isQuick ? 5 : 15
    const runs = await interleave({ with: run('with'), without: run('without') }, rounds)
    const children = await preloadTimes(project, rounds * 2)
    const parts = Object.keys(runs.with[0]?.main ?? {})
    const worker = ({ workers }: Times) => sample(workers).median
    const preload = sample(children.worker).median
    return [
      {
        what: 'no model: main process',
        unit: 'ms',
        value: sample(runs.with.map(({ main }) => Object.values(main).reduce((sum, ms) => sum + ms, 0))),
        reach: 10,
      },
      ...parts.map(
        (part): Row => ({
          what: `  of it: ${part}`,
          unit: 'ms',
          value: sample(runs.with.map(({ main }) => main[part] ?? 0)),
        }),
      ),
      {
        what: 'no model: worker (environment, setup file, preload)',
        unit: 'ms',
        value: sample(runs.with.map((times, index) => worker(times) - worker(runs.without[index] ?? times) + preload)),
        reach: 10,
      },
      { what: '  of it: the preload', unit: 'ms', value: sample(children.worker) },
      { what: 'no model: child process', unit: 'ms', value: sample(children.child), reach: 10 },
    ]
  } finally {
    await project.remove()
  }
}

/** The preload between two stamps, in processes that do nothing else: as a worker has it, and as a child. */
async function preloadTimes(project: ProjectFolder, rounds: number): Promise<Record<'worker' | 'child', number[]>> {
  const directory = project.directory
  const [before, after] = [join(directory, 'before.cjs'), join(directory, 'after.cjs')]
  await writeFile(before, 'process.stamp = performance.now()')
  await writeFile(after, 'process.stdout.write(String(performance.now() - process.stamp))')
  const preload = join(directory, 'node_modules/vitest-model-cache/dist/intercept/preload.cjs')
  const settings = JSON.stringify({ bases: ['https://huggingface.co'], run: { id: 'bench', pid: process.pid } })
  const run = (env: Record<string, string>) => async () => {
    const required = [before, preload, after].flatMap((path) => ['--require', path])
    const { stdout } = await execa(process.execPath, [...required, '-e', '0'], { env })
    return Number(stdout)
  }
  return interleave({ worker: run({}), child: run({ VITEST_MODEL_CACHE_CHILD: settings }) }, rounds)
}

const TEST = `
  import { expect, test } from 'vitest'
  test('adds', () => expect(1 + 1).toBe(2))
`

const FILES = {
  'a.test.js': TEST,
  'b.test.js': TEST,
  'c.test.js': TEST,
  'global-setup.js': `
    const times = globalThis.times
    const started = performance.now()
    const own = await import('vitest-model-cache/global-setup')
    const loaded = performance.now() - started
    export default async function (project) {
      const started = performance.now()
      const teardown = await own.default(project)
      times['global setup'] = loaded + performance.now() - started
      return async () => {
        const started = performance.now()
        await teardown()
        times['teardown'] = performance.now() - started
      }
    }
  `,
  'vitest.config.mjs': `
    import { writeFileSync } from 'node:fs'
    import { fileURLToPath } from 'node:url'
    const times = (globalThis.times = {})
    const workers = []
    const timed = (part, act) =>
      function (...args) {
        const started = performance.now()
        const add = () => { times[part] = (times[part] ?? 0) + performance.now() - started }
        const result = act.apply(this, args)
        if (typeof result?.then === 'function') return result.finally(add)
        add()
        return result
      }
    const diagnostics = {
      onTestModuleEnd(module) {
        const { environmentSetupDuration, setupDuration } = module.diagnostic()
        workers.push(environmentSetupDuration + setupDuration)
      },
    }
    const plugins = []
    if (process.env.PLUGIN === 'with') {
      const { modelCache } = await timed('loading the plugin', () => import('vitest-model-cache'))()
      const plugin = timed('options', modelCache)()
      for (const hook of ['config', 'configResolved', 'configureServer', 'configureVitest'])
        plugin[hook] = timed('hooks', plugin[hook])
      plugins.push(plugin, {
        name: 'times',
        configureVitest({ vitest, project }) {
          project.config.globalSetup = [fileURLToPath(new URL('./global-setup.js', import.meta.url))]
          const reporter = vitest.config.reporters.at(-1)
          for (const hook of ['onInit', 'onTestRunStart', 'onTestModuleEnd', 'onTestRunEnd'])
            reporter[hook] = timed('reporter', reporter[hook])
        },
      })
    }
    process.once('exit', () => writeFileSync(new URL('./times.json', import.meta.url), JSON.stringify({ main: times, workers })))
    export default { plugins, test: { maxWorkers: 1, reporters: ['dot', diagnostics] } }
  `,
}
