import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { jestFiles } from '../support/jest/jest-files.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { ProjectFolder } from '../support/project-folder.ts'

const TOKEN = 'hf_a_secret_that_must_not_be_seen'
const { hub, env } = await startModelsHub([], { token: TOKEN })
for (const name of ['one', 'two', 'three'])
  hub.addRepo(`org/${name}`, { files: { 'config.json': `{ "name": "${name}" }` } })

const asks = (repo: string) => `
  test('is served', async () => { expect(await models.file('${repo}', 'config.json')).toContain('config.json') })
`

/** Fails if the run left something for its workers, or claims. */
async function expectNothingLeft(project: ProjectFolder): Promise<void> {
  for (const folder of ['events', 'leases'])
    expect(await readdir(join(project.cacheDir, folder)).catch(() => [])).toEqual([])
}

test('each project has its own options', async () => {
  const projects = [
    { displayName: 'one', testMatch: ['**/one.test.js'], modelCache: { models: ['org/one'], hub: { token: TOKEN } } },
    { displayName: 'two', testMatch: ['**/two.test.js'], modelCache: { mode: 'unit' } },
    // It has the options of the config around it.
    { displayName: 'three', testMatch: ['**/three.test.js'] },
  ].map((project) => ({ ...project, transform: {} }))
  const project = await Consumer.create({
    files: jestFiles({
      options: { models: ['org/three'] },
      config: { projects },
      tests: {
        one: asks('org/one'),
        two: `
          test('is mocked', async () => {
            const { env, pipeline: untouched } = require('@huggingface/transformers')
            env.cacheDir = './own-cache'
            for (const pipeline of [models.pipeline, untouched]) {
              const embed = await pipeline('feature-extraction', 'org/two')
              expect((await embed('A dog', { pooling: 'mean' })).dims).toEqual([1, 384])
            }
          })
        `,
        three: asks('org/three'),
      },
    }),
  })
  const { exitCode, output, json, report } = await project.jest(['--maxWorkers=2'], env)
  expect(exitCode, output).toBe(0)
  expect(json).toMatchObject({ numPassedTests: 3 })
  expect(report?.models.map(({ repo, testFiles }) => [repo, testFiles])).toEqual([
    ['org/one', ['one.test.js']],
    ['org/three', ['three.test.js']],
  ])
  expect(hub.requests.filter(({ repo }) => repo === 'org/two')).toEqual([])
  expect(hub.requests.some(({ authorization }) => authorization)).toBe(true)
  expect((await project.jest(['--showConfig'], env)).stdout).not.toContain(TOKEN)
  await expectNothingLeft(project)
})

test('a preset, and options of the command line that end a run early or run no test', async () => {
  const { 'jest.config.mjs': _, ...files } = jestFiles({
    tests: {
      one: `${asks('org/one')} // Jest begins with the largest file${'.'.repeat(200)}`,
      two: `${asks('org/two')} test('fails', () => { throw new Error('Not this one') })`,
    },
  })
  const jest = {
    ...{ preset: 'vitest-model-cache/jest', transform: {} },
    testEnvironmentOptions: { modelCache: { models: ['org/one', 'org/two'], report: { outputFile: 'report.json' } } },
  }
  const project = await Consumer.create({ files: { ...files, 'package.json': JSON.stringify({ jest }) } })

  const listed = await project.jest(['--listTests'], env)
  expect(listed.json, listed.output).toHaveLength(2)
  expect(listed.report).toBeUndefined()

  const empty = await project.jest(['--shard=9/9', '--passWithNoTests'], env)
  expect(empty, empty.output).toMatchObject({ exitCode: 0, json: { numPassedTests: 0 } })
  expect(hub.requests).toEqual([])

  const bailed = await project.jest(['--bail', '--runInBand'], env)
  expect(bailed.exitCode, bailed.output).toBe(1)
  await expectNothingLeft(project)

  // The reporter is not called.
  const forced = await project.jest(['one.test.js', '--forceExit', '--reporters=default'], env)
  expect(forced.json, forced.output).toMatchObject({ numPassedTests: 1 })
  expect(forced.report).toMatchObject({ requests: 1, hits: 1 })
  // What the other file used is not predicted.
  expect(forced.report?.prediction).toEqual({ used: ['org/one'], unused: [], unpredicted: [] })
  await expectNothingLeft(project)
})

test('in watch mode each run has its own report, and asks the Hub no more', async () => {
  const project = await Consumer.create({
    files: {
      ...jestFiles({
        options: { models: ['org/one'] },
        config: { watchPlugins: ['./says-when.cjs'] },
        tests: { one: asks('org/one') },
      }),
      // Jest says nothing when there is no terminal, and ignores changes during a run.
      'says-when.cjs': `
        module.exports = class {
          apply(hooks) { hooks.onTestRunComplete(() => console.log('Watching for changes')) }
        }
      `,
    },
  })
  const { watcher, finished } = project.watch(env, 'jest')
  try {
    expect(await finished()).toMatchObject({ requests: 1, misses: 1 })
    hub.clearRequests()
    const again = finished()
    await project.write({
      'one.test.js': `${asks('org/one')}${asks('org/one').replace('is served', 'is served again')}`,
    })
    expect(await again).toMatchObject({ requests: 2, misses: 0, hits: 2, prediction: { used: ['org/one'] } })
    expect(hub.requests).toEqual([])
  } finally {
    watcher.kill()
    await watcher
  }
  expect(await readdir(join(project.cacheDir, 'runs'))).toHaveLength(2)
})
