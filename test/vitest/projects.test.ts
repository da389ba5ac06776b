import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub([])
hub.addRepo('org/one', { files: { 'config.json': '{"one":1}' } })
hub.addRepo('org/two', { files: { 'config.json': '{"two":2}' } })

const asks = (repo: string) =>
  `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('${repo}') })`

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

test('two projects share a cache and have one report, which is written where each of them says', async () => {
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

test('each project keeps to the cache folder that it names', async () => {
  const consumer = await twoProjects(['./cache-one', './cache-two'])
  const { exitCode, output } = await consumer.vitest([], { ...env, MODEL_CACHE_DIR: undefined })
  expect(exitCode, output).toBe(0)
  const { stdout } = await consumer.shell('ls -d app/cache-*/hub/*')
  expect(stdout.split('\n')).toEqual(['app/cache-one/hub/models--org--one', 'app/cache-two/hub/models--org--two'])
})

test('listing the tests downloads nothing', async () => {
  const consumer = await Consumer.create({
    files: { 'vitest.config.ts': configSource({ models: ['org/one'] }), 'a.test.ts': asks('org/one') },
  })
  const cli = join(consumer.directory, 'node_modules', 'vitest', 'vitest.mjs')
  const { exitCode, stdout } = await consumer.shell(`cd app && HF_ENDPOINT=${hub.url} node '${cli}' list`)
  expect(exitCode).toBe(0)
  expect(stdout).toContain('a.test.ts > x')
  expect(hub.requests).toEqual([])
})

test('the command line finds the cache of the config, also with a root elsewhere', async () => {
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

test('removes nothing when one of the names is wrong', async () => {
  const consumer = await Consumer.create({ files: {} })
  await consumer.cli(['warm', 'org/one'], env)
  expect(await consumer.cli(['rm', 'org/one', 'org/nope', '--yes'], env)).toMatchObject({ exitCode: 2 })
  expect((await consumer.cli(['ls'], env)).stdout).toContain('org/one')
  expect(await consumer.cli(['rm', 'org/one', '--yes'], env)).toMatchObject({ exitCode: 0 })
})
