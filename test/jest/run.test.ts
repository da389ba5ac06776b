import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { jestFiles } from '../support/jest/jest-files.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { hub, env } = await startModelsHub([REPO])

const EMBEDS = `
  const embed = await models.pipeline('feature-extraction', '${REPO}')
  const output = await embed('A dog', { pooling: 'mean', normalize: true })
`
const TESTS = {
  'a-models': `
    import { twice } from './src/twice.js'
    test('embeds', async () => {
      ${EMBEDS}
      expect(output.data).toBeInstanceOf(Float32Array)
      expect(twice(output.data[0])).toBeCloseTo(2 * ${DOG})
      expect(output.tolist()[0].map((value) => Number(value.toFixed(4))).slice(0, 3)).toMatchSnapshot()
      expect({ dims: output.dims }).toStrictEqual({ dims: [1, 16] })
    })
  `,
  'b-again': `
    import { models as imported } from 'vitest-model-cache/jest'
    test('embeds with the model that the worker has loaded', async () => {
      ${EMBEDS}
      expect(output.data[0]).toBeCloseTo(${DOG})
      expect(await imported.pipeline('feature-extraction', '${REPO}')).toBe(embed)
    })
  `,
  'c-untouched': `
    import { env, pipeline } from '@huggingface/transformers'
    env.cacheDir = './own-cache'
    test('embeds', async () => {
      const embed = await pipeline('feature-extraction', '${REPO}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(${DOG})
    })
  `,
}
const FILES = {
  ...jestFiles({
    options: { models: [REPO] },
    // Without a sequence of its own, Jest starts with the file that took longest before.
    config: { testSequencer: './by-name.cjs', collectCoverageFrom: ['src/**'], coverageReporters: ['json'] },
    tests: TESTS,
  }),
  'by-name.cjs': `
    const { default: Sequencer } = require('@jest/test-sequencer')
    module.exports = class extends Sequencer {
      sort = (tests) => [...tests].sort((a, b) => (a.path < b.path ? -1 : 1))
    }
  `,
  'src/twice.js': 'exports.twice = (value) => 2 * value\n',
}

test('a run serves all files, and ends with a report, a record and the summary of the job', async () => {
  const project = await Consumer.create({ files: FILES })
  const covered = async () => {
    const coverage: object = JSON.parse(await readFile(join(project.directory, 'coverage/coverage-final.json'), 'utf8'))
    return Object.keys(coverage).map((path) => path.slice(project.directory.length + 1))
  }
  const summary = join(project.directory, 'summary.md')
  const onGitHub = { ...env, GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary }
  const cold = await project.jest(['--runInBand', '--ci=false', '--coverage', '--coverageProvider=v8'], onGitHub)

  expect(cold.json, cold.output).toMatchObject({ success: true, numPassedTests: 3 })
  expect(cold).toMatchObject({ exitCode: 0, report: { requests: 4, misses: 1, errors: [] } })
  expect(cold.report?.models).toMatchObject([
    {
      repo: REPO,
      tiers: { hub: 1, memory: 2, disk: 1 },
      testFiles: ['a-models.test.js', 'b-again.test.js', 'c-untouched.test.js'],
    },
  ])
  expect(cold.stderr).toMatch(/Ran all test suites\.[\s\S]*Model cache[\s\S]*4 requests: 3 hits, 1 miss/)
  expect(await readFile(summary, 'utf8')).toContain(REPO)
  expect(await readdir(join(project.directory, 'own-cache')).catch(() => [])).toEqual([])
  expect(await covered()).toEqual(['src/twice.js'])
  const cached = await readdir(join(project.cacheDir, 'hub'), { recursive: true })
  expect(cached.filter((path) => path.endsWith('.mapped.onnx'))).toHaveLength(1)

  hub.clearRequests()
  const warm = await project.jest(['--ci', '--detectOpenHandles', '--coverage', '--coverageProvider=babel'], env)
  expect(warm.json, warm.output).toMatchObject({ success: true, numPassedTests: 3 })
  expect(warm).toMatchObject({ exitCode: 0, report: { requests: 4, misses: 0, hits: 4, errors: [] } })
  expect(warm.stderr).not.toMatch(/open handle|did not exit/)
  // Jest told which test files will run, and the sequencer of the suite still decides in which order.
  expect(cold.report?.prediction).toEqual({ used: [REPO], unused: [], unpredicted: [] })
  expect(warm.report?.prediction).toEqual({ used: [REPO], unused: [], unpredicted: [] })
  expect(await covered()).toEqual(['src/twice.js'])
  expect(hub.requests).toEqual([])

  expect(await readdir(join(project.cacheDir, 'runs'))).toHaveLength(2)
  expect(await readdir(join(project.cacheDir, 'events'))).toEqual([])
  expect(await readdir(join(project.cacheDir, 'leases'))).toEqual([])
})
