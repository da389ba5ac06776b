import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { ProjectFolder } from '../support/project-folder.ts'

const { hub, env } = await startModelsHub([])
hub.addRepo('org/one', { files: { 'config.json': '{"one":1}' } })
hub.addRepo('org/two', { files: { 'config.json': '{"two":2}' } })

const asks = (repo: string) =>
  `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('${repo}') })`

function listTests(consumer: ProjectFolder) {
  const cli = join(consumer.directory, 'node_modules', 'vitest', 'vitest.mjs')
  return consumer.shell(`cd app && HF_ENDPOINT=${hub.url} node '${cli}' list`)
}

function projectsConfig(cacheDirs: (string | undefined)[]): string {
  const projects = cacheDirs.map((cacheDir, index) => {
    const name = ['one', 'two'][index]
    const options = JSON.stringify({
      models: [`org/${name}`],
      cacheDir,
      report: { outputFile: ['report.json', 'two/report.json'][index] },
    })
    return `{ plugins: [modelCache(${options})], test: { name: '${name}', include: ['${name}/**/*.test.ts'] } }`
  })
  return `
    import { defineConfig } from 'vitest/config'
    import { modelCache } from 'vitest-model-cache'
    export default defineConfig({ test: { projects: [${projects.join()}] } })
  `
}

async function twoProjects(cacheDirs: (string | undefined)[]) {
  return Consumer.create({
    files: {
      'vitest.config.ts': projectsConfig(cacheDirs),
      'one/a.test.ts': asks('org/one'),
      'two/a.test.ts': asks('org/two'),
    },
  })
}

test('two projects share a cache and have one report, which is written to the files of both', async () => {
  const consumer = await twoProjects([undefined, undefined])
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output.match(/Model cache/g)).toHaveLength(1)
  expect(report).toMatchObject({ requests: 2, misses: 2, cache: { entries: 2 } })
  expect(JSON.parse(await readFile(join(consumer.directory, 'two/report.json'), 'utf8'))).toEqual(report)
  hub.clearRequests()
  expect(await consumer.vitest([], env)).toMatchObject({ exitCode: 0, report: { hits: 2 } })
  expect(hub.requests).toEqual([])
})

test('the requests of a child process count for the project whose test started it; a project without the plugin is named', async () => {
  const source = `
    import { execFileSync } from 'node:child_process'
    import { test } from 'vitest'
    const program = "fetch('${hub.url}/org/two/resolve/main/config.json').then((answer) => answer.text())"
    const start = (env) => void execFileSync(process.execPath, ['-e', program], { env })
    test('x', () => start(process.env))
    test('y', () => {
      const settings = { ...JSON.parse(process.env.VITEST_MODEL_CACHE_CHILD), cache: {} }
      start({ ...process.env, VITEST_MODEL_CACHE_CHILD: JSON.stringify(settings) })
    })
  `
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({}, `projects: ['one', 'two']`),
      ...Object.fromEntries(['one', 'two'].map((name) => [`${name}/vitest.config.ts`, configSource()])),
      'one/a.test.ts': asks('org/one'),
      'two/a.test.ts': source,
    },
  })
  const { exitCode, output } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output.replace(/\s+/g, ' ')).toMatch(
    /3 requests: 0 hits, 2 misses, 1 failed .*✗ A process that the test started can't use the cache, .* \(a\.test\.ts\)/,
  )
  const folder = join(consumer.cacheDir, 'runs')
  const records = (await readdir(folder)).map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')))
  const used = (await Promise.all(records)).map(({ project, used }) => [
    basename(project),
    used.map(({ repo, testFiles }: { repo: string; testFiles: string[] }) => `${repo} ${testFiles}`),
  ])
  expect(used.sort()).toEqual([
    ['one', ['org/one a.test.ts']],
    ['two', ['org/two a.test.ts']],
  ])
})

test('projects that extend the root have models in every file, isolated or not', async () => {
  const kinds = ['forks', 'threads', 'vmThreads'].map(
    (pool) => `{ extends: true, test: { name: '${pool}', pool: '${pool}', isolate: false } }`,
  )
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/one'] }, `maxWorkers: 1, projects: [${kinds.join()}]`),
      ...Object.fromEntries(['a', 'b', 'c'].map((name) => [`${name}.test.ts`, asks('org/one')])),
    },
  })
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(report).toMatchObject({ requests: 9, misses: 1, errors: [] })
})

test('the plugin of the root config serves projects without a plugin of their own, with the options of each', async () => {
  const config = (test: string, plugin = '') => `
    import { defineConfig } from 'vitest/config'
    import { modelCache } from 'vitest-model-cache'
    export default defineConfig({ plugins: [${plugin}], test: { maxWorkers: 1, ${test} } })
  `
  const kinds = {
    forks: config("pool: 'forks'"),
    dom: config("environment: 'happy-dom', pool: 'threads', isolate: false"),
    vm: config("pool: 'vmThreads'"),
    own: config('', "modelCache({ models: ['org/two'] })"),
  }
  const packages = Object.entries(kinds).flatMap(([name, source]) => [
    [`packages/${name}/vitest.config.ts`, source],
    [`packages/${name}/package.json`, `{ "name": "${name}", "type": "module" }`],
    ...['a', 'b'].map((file) => [`packages/${name}/${file}.test.ts`, asks(name === 'own' ? 'org/two' : 'org/one')]),
  ])
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/one'] }, "maxWorkers: 1, projects: ['packages/*']"),
      ...Object.fromEntries(packages),
      'packages/vm/node_modules/@huggingface/transformers/package.json': '{ "version": "3.0.0" }',
    },
  })
  expect((await listTests(consumer)).stdout).toContain('[vm] b.test.ts > x')
  expect(hub.requests).toEqual([])
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output.match(/Model cache/g)).toHaveLength(1)
  expect(report).toMatchObject({ requests: 8, misses: 2, errors: [] })
  hub.clearRequests()
  expect(await consumer.vitest(['--project', 'vm'], env)).toMatchObject({
    exitCode: 0,
    report: { requests: 2, hits: 2 },
  })
  expect(hub.requests).toEqual([])
})

test('a package that is installed above the project serves every environment, and lets Vite read nothing else there', async () => {
  const projects = ['jsdom', 'happy-dom'].map(
    (name) => `{ extends: true, test: { name: '${name}', environment: '${name}', include: ['${name}*.test.ts'] } }`,
  )
  const beside = `
    import { test, expect } from 'vitest'
    test('beside', async () => { await expect(import(/* @vite-ignore */ '/@fs' + process.env.BESIDE)).rejects.toThrow() })
  `
  const consumer = await Consumer.create({
    installsAbove: true,
    files: {
      'vitest.config.ts': configSource({ models: ['org/one'] }, `projects: [${projects.join()}]`),
      'jsdom.test.ts': asks('org/one'),
      'happy-dom.test.ts': asks('org/one'),
      'happy-dom-beside.test.ts': beside,
      '../beside.js': 'export default 1',
    },
  })
  const { exitCode, output, report } = await consumer.vitest([], {
    ...env,
    BESIDE: join(consumer.directory, '../beside.js'),
  })
  expect(exitCode, output).toBe(0)
  expect(report).toMatchObject({ requests: 2, errors: [] })
})

test('each project uses the cache folder of its own config', async () => {
  const consumer = await twoProjects(['./cache-one', './cache-two'])
  const { exitCode, output } = await consumer.vitest([], { ...env, MODEL_CACHE_DIR: undefined })
  expect(exitCode, output).toBe(0)
  const { stdout } = await consumer.shell('ls -d app/cache-*/hub/*')
  expect(stdout.split('\n')).toEqual(['app/cache-one/hub/models--org--one', 'app/cache-two/hub/models--org--two'])
})

test('the command line finds the cache of the config, also when the root is another folder', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/one'], cacheDir: './own-cache' }, '').replace(
        'test: {',
        "root: './sub', test: {",
      ),
      'sub/a.test.ts': asks('org/one'),
    },
  })
  const own = { ...env, MODEL_CACHE_DIR: undefined }
  expect(await consumer.cli(['warm'], own)).toMatchObject({ exitCode: 0 })
  hub.clearRequests()
  const { exitCode, output } = await consumer.vitest([], own)
  expect(exitCode, output).toBe(0)
  expect(hub.requests).toEqual([])
})

test('the command line removes nothing when one of the names is wrong', async () => {
  const consumer = await Consumer.create({ files: {} })
  await consumer.cli(['warm', 'org/one'], env)
  expect(await consumer.cli(['rm', 'org/one', 'org/nope', '--yes'], env)).toMatchObject({ exitCode: 2 })
  expect((await consumer.cli(['ls'], env)).stdout).toContain('org/one')
  expect(await consumer.cli(['rm', 'org/one', '--yes'], env)).toMatchObject({ exitCode: 0 })
})
