import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { RunResult } from '../support/project-folder.ts'
import { type ColdAndWarm, runColdAndWarm } from '../support/run-cold-and-warm.ts'
import { type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const REPO = 'org/embeddings'
const { hub, env, copyOf } = await startModelsHub([REPO])
const MANY = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`part-${index}.json`, String(index)]))
hub.addRepo('org/many', { files: MANY })

// Tests of command lines do this: the program under test runs in another process.
const PROGRAM = `
  import { pipeline } from '@huggingface/transformers'
  const embed = await pipeline('feature-extraction', process.argv[2] ?? '${REPO}')
  console.log((await embed('A dog', { pooling: 'mean', normalize: true })).data[0].toFixed(4))
`
const COMMONJS = PROGRAM.replace(/import (.*) from (.*)/, 'const $1 = require($2)')
  .replace('const embed', 'void (async () => {\nconst embed')
  .concat('})()')

function testThat(spawn: string): string {
  return `
    import { execFile } from 'node:child_process'
    import { mkdtempSync } from 'node:fs'
    import { tmpdir } from 'node:os'
    import { join } from 'node:path'
    import { promisify } from 'node:util'
    import { expect, test } from 'vitest'
    const run = promisify(execFile)
    test('x', async () => {
      const home = mkdtempSync(join(tmpdir(), 'home '))
      const { stdout } = await ${spawn}
      expect(stdout.trim()).toBe('-0.2976')
    })
  `
}

describe('a process that a test starts is served from the cache, and counted', () => {
  // The programs get the name of a model: each suite has its own.
  const ways = [
    { way: 'as it is', pool: 'forks', spawn: (model: string) => `run(process.execPath, ['program.mjs', '${model}'])` },
    {
      way: 'from CommonJS',
      pool: 'vmThreads',
      spawn: (model: string) => `run(process.execPath, ['program.cjs', '${model}'])`,
    },
    {
      way: 'with another home and working directory',
      pool: 'threads',
      spawn: (model: string) =>
        `run(process.execPath, [process.cwd() + '/program.mjs', '${model}'], { cwd: 'elsewhere', env: { ...process.env, HOME: home } })`,
    },
    {
      way: 'by a process of its own',
      pool: 'forks',
      spawn: (model: string) => `run('sh', ['-c', '"$0" program.mjs ${model}', process.execPath])`,
    },
  ].map((one, index) => ({ ...one, name: `org/way-${index}` }))
  let runs: ColdAndWarm

  beforeAll(async () => {
    const suites = ways.map(({ pool, spawn, name }, index): [string, SuiteSource] => [
      `way-${index}`,
      { source: testThat(spawn(copyOf(REPO, name))), options: `pool: '${pool}'` },
    ])
    const files = { ...suitesInOneRun(Object.fromEntries(suites)), 'program.mjs': PROGRAM, 'program.cjs': COMMONJS }
    const project = await Consumer.createForTests({ files })
    await mkdir(join(project.directory, 'elsewhere'))
    runs = await runColdAndWarm(project, hub, env)
    return () => project.remove()
  })

  test.each(ways.map(({ way, name }) => [way, name]))('%s', (_, name) => {
    const { cold, warm, asked } = runs
    const of = ({ report }: RunResult) => report?.models.find(({ repo }) => repo === name)
    expect(cold.exitCode, cold.output).toBe(0)
    expect(asked.cold.filter(({ repo }) => repo === name).length).toBeGreaterThan(0)
    expect(of(cold)).toMatchObject({ requests: 1, tiers: { hub: 1 } })
    expect(warm.exitCode, warm.output).toBe(0)
    expect(of(warm)).toMatchObject({ requests: 1, tiers: { disk: 1 } })
    expect(warm.report?.ownMs).toMatchObject({ workers: null, children: { count: ways.length } })
    expect(asked.warm).toEqual([])
  })

  test("with the user's own NODE_OPTIONS, which stay in force", async () => {
    const spawn = `run(process.execPath, ['-e', 'if (!globalThis.wasRequired) throw 1; import("./program.mjs")'])`
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource({}, `env: { NODE_OPTIONS: '--require ./option.cjs' }`),
        'program.mjs': PROGRAM,
        'option.cjs': 'globalThis.wasRequired = true',
        'a.test.ts': testThat(spawn),
      },
    })
    for (const requests of [1, 0]) {
      hub.clearRequests()
      const { exitCode, output } = await project.vitest([], env)
      expect(exitCode, output).toBe(0)
      expect(hub.requests.length > 0).toBe(requests === 1)
    }
  })

  test('also when it is killed, is a terminated thread, or reads many files', async () => {
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource({ models: [{ repo: 'org/many', files: ['*'] }, REPO] }),
        'server.mjs': `
          import { createServer } from 'node:http'
          const { status } = await fetch('https://huggingface.co/${REPO}/resolve/main/config.json')
          createServer().listen(0, '127.0.0.1', () => process.stdout.write(String(status)))
        `,
        'thread.mjs': `
          import { parentPort } from 'node:worker_threads'
          parentPort.postMessage((await fetch('https://huggingface.co/${REPO}/resolve/main/config.json')).status)
          parentPort.on('message', () => {})
        `,
        'many.mjs': `
          import { readFileSync } from 'node:fs'
          const written = () => Number(/wchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
          const bytes = [written()]
          for (let index = 0; index < 300; index++) {
            const response = await fetch('https://huggingface.co/org/many/resolve/main/part-' + index + '.json')
            if (await response.text() !== String(index)) throw new Error('Another file')
            if (index % 100 === 99) bytes.push(written())
          }
          console.log(JSON.stringify(bytes))
        `,
        'a.test.ts': `
          import { execFile, spawn } from 'node:child_process'
          import { once } from 'node:events'
          import { promisify } from 'node:util'
          import { Worker } from 'node:worker_threads'
          import { expect, test } from 'vitest'
          test.each(['SIGTERM', 'SIGKILL'])('server ended by %s', async (signal) => {
            const server = spawn(process.execPath, ['server.mjs'])
            expect(String(await once(server.stdout, 'data'))).toBe('200')
            server.kill(signal)
            await once(server, 'close')
          })
          test('thread', async () => {
            const worker = new Worker('./thread.mjs')
            expect(await once(worker, 'message')).toEqual([200])
            await worker.terminate()
          })
          test('many files', async () => {
            const { stdout } = await promisify(execFile)(process.execPath, ['many.mjs'])
            const [start, first, second, third] = JSON.parse(stdout)
            // The last hundred requests write no more than the first hundred.
            if (process.platform === 'linux') expect(third - second).toBeLessThan((first - start) * 1.5)
          })
        `,
      },
    })
    const { exitCode, output, report } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(report).toMatchObject({
      requests: 4,
      models: [{ repo: REPO, testFiles: ['a.test.ts'] }, { repo: 'org/many' }],
    })
  })

  test('but not on a Node.js that is too old: there it works as without the plugin', async () => {
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource(),
        // Imitates an old Node.js: its version, and the functions that it lacks.
        'old.cjs': `
          Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '14.15.0' } })
          const Module = require('node:module')
          const load = Module._load
          Module._load = (name, ...rest) => {
            if (name.startsWith('node:')) throw new Error('Cannot find module ' + name)
            return load(name, ...rest)
          }
        `,
        'asks.cjs': `
          const url = process.env.HF_ENDPOINT + '/${REPO}/resolve/main/config.json'
          const status = new Promise((resolve) => require('http').get(url, (response) => resolve(response.resume().statusCode)))
          Promise.all([status, fetch(url)]).then(([status, answer]) => console.log(status, answer.status))
        `,
        'a.test.ts': `
          import { execFile } from 'node:child_process'
          import { rmSync } from 'node:fs'
          import { promisify } from 'node:util'
          import { expect, test, vi } from 'vitest'
          const asks = async (...args) => (await promisify(execFile)(process.execPath, [...args, 'asks.cjs'])).stdout.trim()
          test('an old one', async () => {
            vi.stubEnv('NODE_OPTIONS', '--require ./old.cjs ' + process.env.NODE_OPTIONS)
            expect(await asks()).toBe('200 200')
          })
          test('one that can not load the engine', async () => {
            vi.unstubAllEnvs()
            rmSync('node_modules/vitest-model-cache/dist/intercept/child.js')
            expect(await asks()).toBe('200 200')
          })
        `,
      },
    })
    const { exitCode, output, report } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(report).toMatchObject({
      hits: 0,
      misses: 0,
      failed: 1,
      errors: [{ code: 'UNSERVED', testFiles: ['a.test.ts'] }],
    })
    expect(hub.requests.map(({ kind, status }) => `${kind} ${status}`)).toEqual(Array(4).fill('resolve 200'))
  })

  test('but not when it outlives the run: then it leaves no file behind, and the files of a killed run are removed', async () => {
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': configSource(),
        'late.mjs': `
          import { writeFileSync } from 'node:fs'
          import { setTimeout as sleep } from 'node:timers/promises'
          const { run } = JSON.parse(process.env.VITEST_MODEL_CACHE_CHILD)
          const isOn = () => { try { return process.kill(run.pid, 0) } catch { return false } }
          while (isOn()) await sleep(50)
          const { status } = await fetch('https://huggingface.co/${REPO}/resolve/main/config.json')
          process.once('exit', () => writeFileSync('late.txt', String(status)))
        `,
        'a.test.ts': `
          import { spawn } from 'node:child_process'
          import { test } from 'vitest'
          test('x', () => spawn(process.execPath, ['late.mjs'], { detached: true, stdio: 'ignore' }).unref())
        `,
      },
    })
    const abandoned = join(project.cacheDir, 'events', 'mb3k2x1a-77-0123ab')
    await mkdir(abandoned, { recursive: true })
    await writeFile(join(project.cacheDir, 'cache.json'), '{"format":1}')
    await utimes(abandoned, 0, 0)
    const { exitCode, output } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    await vi.waitFor(async () => expect(await readdir(project.directory)).toContain('late.txt'), 200_000)
    expect(await readdir(join(project.cacheDir, 'events'))).toEqual([])
    expect(hub.requests.length).toBeGreaterThan(0)
  })

  test('leaves no file of the run behind, and does nothing in a process that asks for no model', async () => {
    const spawn = `run(process.execPath, ['-p', '"-0.2976"'])`
    const project = await Consumer.create({
      files: { 'vitest.config.ts': configSource(), 'a.test.ts': testThat(spawn) },
    })
    const { exitCode, output, stderr } = await project.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(stderr).toBe('')
    expect((await project.shell('ls cache/events 2>/dev/null')).stdout).toBe('')
  })
})
