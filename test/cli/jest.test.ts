import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub([])
for (const name of ['a', 'b', 'c']) hub.addRepo(`org/${name}`, { files: { 'config.json': `{ "name": "${name}" }` } })

// In one piece, Vitest would take it for the environment of this file.
const DOCBLOCK = ['@jest', 'environment jsdom'].join('-')

const MANIFEST = '{ "private": true, "scripts": { "test": "jest" } }'
const TEST = `
  test('asks', async () => { await models.file('org/a', 'config.json') })
  test('is asked to fail', () => { expect(process.env.FAIL).toBeUndefined() })
`

test('a project with Jest and without Vitest is set up, run, and gets the models that it used', async () => {
  const project = await Consumer.create({
    files: {
      'package.json': MANIFEST,
      'jest.config.js':
        "/** @type {import('jest').Config} */\nconst config = {\n  transform: {},\n};\n\nmodule.exports = config;\n",
      'tsconfig.json': '{ "compilerOptions": { "types": ["jest"] } }',
      'a.test.js': TEST,
    },
  })
  await rm(join(project.directory, 'node_modules/vitest'))
  const text = (name: string) => readFile(join(project.directory, name), 'utf8')
  const written = await project.cli(['init', '--yes', '--github'], env)
  expect(written, written.output).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Next: `npx jest`.') })
  expect(await text('jest.config.js')).toBe(
    "const { withModelCache } = require('vitest-model-cache/jest');\n/** @type {import('jest').Config} */\nconst config = {\n  transform: {},\n};\n\nmodule.exports = withModelCache(config);\n",
  )
  expect(await text('tsconfig.json')).toContain('"types": ["vitest-model-cache/jest/globals", "jest"]')
  expect(await text('.github/workflows/models.yml')).toContain('      - run: npx jest\n')

  const run = await project.cli(['run', '--json', '--', '--ci'], { ...env, FAIL: '1' })
  expect(run.exitCode, run.output).toBe(1)
  expect(run.stderr).toContain('1 failed, 1 passed')
  expect(JSON.parse(run.stdout)).toMatchObject({ exitCode: 1, before: { models: 0 }, after: { models: 1 } })
  const suggested = await project.cli(['suggest', '--write', '--yes'], env)
  expect(suggested, suggested.output).toMatchObject({ exitCode: 0 })
  expect(await text('jest.config.js')).toContain(
    "withModelCache({ ...config, modelCache: { models: [{ repo: 'org/a', files: ['config.json'] }] } });",
  )
  const after = await project.cli(['doctor'], env)
  expect(after.exitCode, after.output).toBe(0)
  expect(after.stdout).toMatch(
    /✓ Jest config +jest.config.js has modelCache, 1 model declared, mode integration\n✓ Jest hooks +global setup, environment and reporter\n/,
  )
})

test('commands count the models of Vitest and of all Jest projects', async () => {
  const project = await Consumer.create({
    files: {
      'package.json': MANIFEST,
      'vitest.config.ts': configSource({ models: ['org/a'], cacheDir: 'models' }),
      'jest.config.mjs': `
        const testEnvironmentOptions = { modelCache: { models: ['org/b'] } }
        export default {
          projects: [
            '<rootDir>/two',
            { displayName: 'one', extensionsToTreatAsEsm: ['.ts'], testEnvironmentOptions },
          ],
        }
      `,
      'two/jest.config.json': `{
        "preset": "vitest-model-cache/jest",
        "globalSetup": "<rootDir>/setup.js",
        "testEnvironmentOptions": { "modelCache": { "models": ["org/c"] } }
      }`,
      'two/a.test.js': `/** ${DOCBLOCK} */`,
      'two/setup.js': 'module.exports = () => undefined',
    },
  })
  const ofProject = { ...env, MODEL_CACHE_DIR: undefined }
  const warmed = await project.cli(['warm'], ofProject)
  expect(warmed.exitCode, warmed.output).toBe(0)
  expect(warmed.stdout).toMatch(/org\/a.*org\/c.*org\/b/s)
  const status = await project.cli(['status', '--json'], ofProject)
  expect(JSON.parse(status.stdout)).toMatchObject({ from: 'the Vitest config', models: 3 })
  const checked = await project.cli(['doctor'], ofProject)
  expect(checked.stdout).toMatch(
    /✓ config +vitest.config.ts has modelCache\(\), 1 model.*✓ Jest config +jest.config.mjs has modelCache, 2 models declared/s,
  )
  expect(checked.stdout).toMatch(
    /! Jest hooks +a setting replaces ours: `globalSetup` is two.setup.js in project two; .*`reporters` lack ours → Wrap/,
  )
  expect(checked.stdout).toMatch(/! ES modules +project one .*NODE_OPTIONS=--experimental-vm-modules/)
  expect(checked.stdout).toMatch(/! docblocks +two\/a.test.js: `@jest.environment jsdom` loads the builds of packages/)
})
