// What the plugin costs the processes of a run in which no test asks for a model, as measured inside of them.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ProjectFolder } from '../support/project-folder.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

/** What a run of the fixture wrote: milliseconds. */
interface Times {
  /** Of the plugin's own parts in the main process, by name. */
  main: Record<string, number>
  /** What Vitest says of each test file: all that its worker did before the first test. */
  workers: number[]
}

export async function ownTime(context: BenchContext): Promise<Findings> {
  const project = await ProjectFolder.create({ packageDirectory: context.packageDirectory, files: FILES })
  try {
    const run = (plugin: 'with' | 'without' | 'empty') => async () => {
      const { exitCode, output } = await project.vitest([], { PLUGIN: plugin })
      if (exitCode !== 0) throw new Error(output)
      return JSON.parse(await readFile(join(project.directory, 'times.json'), 'utf8')) as Times
    }
    const rounds = context.isQuick ? 5 : 15
    const ways = { with: run('with'), without: run('without'), empty: run('empty') }
    const runs = await interleave(ways, rounds)
    const children = await preloadTimes(project, rounds)
    const parts = Object.keys(runs.with[0]?.main ?? {})
    const preload = (index: number) => (children.worker[index] ?? 0) - (children.empty[index] ?? 0)
    /** What workers took with the plugin, beyond what they take in another way. */
    const beyond = (others: Times[]) =>
      runs.with.map(
        (own, index) => sample(own.workers).median - sample(others[index]?.workers ?? []).median + preload(index),
      )
    const rows: Row[] = [
      {
        what: 'no model: main process',
        unit: 'ms',
        value: sample(runs.with.map(({ main }) => Object.values(main).reduce((sum, ms) => sum + ms, 0))),
        atMost: 30,
      },
      ...parts.map(
        (part): Row => ({
          what: `  of it: ${part}`,
          unit: 'ms',
          value: sample(runs.with.map(({ main }) => main[part] ?? 0)),
        }),
      ),
      {
        what: 'no model: worker, beyond one with an empty environment and setup file',
        unit: 'ms',
        value: sample(beyond(runs.empty)),
        atMost: 10,
      },
      { what: '  of it: the preload', unit: 'ms', value: sample(children.worker.map((_, index) => preload(index))) },
      { what: '  beyond one that has neither', unit: 'ms', value: sample(beyond(runs.without)) },
      {
        what: 'no model: child process',
        unit: 'ms',
        value: sample(children.child.map((ms, index) => ms - (children.empty[index] ?? 0))),
        atMost: 10,
      },
    ]
    return { rows }
  } finally {
    await project.remove()
  }
}

/** What stands between two stamps, in processes that do nothing else: the preload as a worker has it and as a child, and an empty file. */
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
  import { expect, test } from 'vitest'
  test('adds', () => expect(1 + 1).toBe(2))
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
        // What one of the first three loads already, the next need not: all up to the first test.
        const { environmentSetupDuration, prepareDuration, setupDuration, collectDuration } = module.diagnostic()
        workers.push(environmentSetupDuration + prepareDuration + setupDuration + collectDuration)
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
    const empty = { environment: './environment.js', setupFiles: ['./empty.js'] }
    export default {
      plugins,
      test: { maxWorkers: 1, reporters: ['dot', diagnostics], ...(process.env.PLUGIN === 'empty' && empty) },
    }
  `,
}
