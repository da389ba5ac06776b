import { describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { env, hub } = await startModelsHub([REPO])

const EVERYWHERE = `
  import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
  import { models as imported } from 'vitest-model-cache/models'
  let path
  beforeAll(async () => { path = await imported.path('${REPO}') })
  beforeEach(async ({ models }) => { expect(await models.path('${REPO}')).toBe(path) })
  afterEach(async ({ models }) => { expect(await models.path('${REPO}')).toBe(path) })
  test('by destructuring', async ({ models }) => { expect(await models.path('${REPO}')).toBe(path) })
  test('by the context', async (ctx) => { expect(await ctx.models.path('${REPO}')).toBe(path) })
  test.concurrent('concurrently', async ({ models, expect }) => { expect(await models.path('${REPO}')).toBe(path) })
  describe('nested', () => {
    test('too', async ({ models }) => { expect(await models.path('${REPO}')).toBe(path) })
  })
`

async function run(files: Record<string, string>, test = '', models = [REPO]) {
  const config = configSource({ models }, test)
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': config, ...files } })
  return consumer.vitest([], env)
}

describe.each(['forks', 'threads', 'vmForks', 'vmThreads'])('in the pool %s', (pool) => {
  test('gives models to tests, hooks and helpers', async () => {
    expect(await run({ 'a.test.ts': EVERYWHERE }, `pool: '${pool}'`)).toMatchObject({ exitCode: 0 })
  })

  // No model is declared, so the worker itself asks the Hub, without the fetch and the timers of the window.
  test('gives models in every environment, and the environment keeps its globals', async () => {
    const isItself = {
      jsdom: `expect(navigator.userAgent).toContain('jsdom')`,
      'happy-dom': `expect(navigator.userAgent).toContain('HappyDOM')`,
      'edge-runtime': `expect(EdgeRuntime).toBe('edge-runtime')`,
    }
    const names = Object.keys(isItself)
    const projects = names.map(
      (name) => `{ extends: true, test: { name: '${name}', environment: '${name}', include: ['${name}.test.ts'] } }`,
    )
    const files = Object.entries(isItself).map(([name, check]) => [
      `${name}.test.ts`,
      `${EVERYWHERE}; test('is ${name}', () => { ${check} })`,
    ])
    const { exitCode, stdout, output } = await run(
      Object.fromEntries(files),
      `pool: '${pool}', projects: [${projects.join()}]`,
      [],
    )
    expect(exitCode, output).toBe(0)
    for (const name of names) expect(stdout).toMatch(new RegExp(`${name}\\W.*${name}.test.ts`))
    expect(new Set(hub.requests.map(({ method }) => method))).toEqual(new Set(['GET']))
  })

  test('runs a real pipeline in jsdom', async () => {
    const source = `
      import { expect, test } from 'vitest'
      test('embeds', async ({ models }) => {
        const embed = await models.pipeline('feature-extraction', '${REPO}')
        expect((await embed('A dog')).dims).toEqual([1, 4, 16])
        expect(document.createElement('p').outerHTML).toBe('<p></p>')
      })
    `
    expect(await run({ 'a.test.ts': source }, `pool: '${pool}', environment: 'jsdom'`)).toMatchObject({ exitCode: 0 })
  })
})

test('gives models when a docblock replaces the environment', async () => {
  // Written in two parts, because Vitest would take it for a docblock of this file.
  const source = `// @vitest-${'environment'} happy-dom\n${EVERYWHERE}`
  expect(await run({ 'a.test.ts': source })).toMatchObject({ exitCode: 0 })
})

test('passes the options of a docblock to the environment', async () => {
  const source = `/** @vitest-${'environment-options'} { "url": "https://example.com/path" } */
    import { expect, test } from 'vitest'
    test('url', ({ models }) => { expect(models && location.pathname).toBe('/path') })`
  for (const name of ['jsdom', 'happy-dom']) {
    const { exitCode, output } = await run({ 'a.test.ts': source }, `environment: '${name}'`)
    expect(exitCode, output).toBe(0)
  }
})

test("leaves a custom environment alone, and passes the environment's options through", async () => {
  const custom = `
    export default { name: 'custom', viteEnvironment: 'ssr', setup(global, options) { global.greeting = options.greeting; return { teardown() {} } } }
  `
  const source = `${EVERYWHERE}; test('is custom', () => { expect(greeting).toBe('hello') })`
  const options = `environment: './custom.js', environmentOptions: { greeting: 'hello' }`
  expect(await run({ 'custom.js': custom, 'a.test.ts': source }, options)).toMatchObject({ exitCode: 0 })
})

test("lets the user's own fixture called models win", async () => {
  const source = `
    import { expect, test as base } from 'vitest'
    const test = base.extend({ models: async ({}, use) => { await use('my own') } })
    test('has it', ({ models }) => { expect(models).toBe('my own') })
  `
  expect(await run({ 'a.test.ts': source })).toMatchObject({ exitCode: 0 })
})

test('is not affected by fake timers and a changed clock', async () => {
  const source = `
    import { beforeEach, expect, test, vi } from 'vitest'
    beforeEach(() => { vi.useFakeTimers(); vi.setSystemTime(0); vi.stubGlobal('fetch', () => { throw new Error('stubbed') }) })
    test('on demand', async ({ models }) => {
      expect(await models.file({ repo: '${REPO}', revision: 'main' }, 'vocab.txt')).toContain('vocab.txt')
    })
  `
  const { exitCode, output, report } = await run({ 'a.test.ts': source })
  expect(exitCode, output).toBe(0)
  expect(report?.models[0]?.lookupMs).toBeGreaterThan(0)
})
