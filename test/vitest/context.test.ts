import { beforeAll, describe, expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import type { LoggedRequest } from '../support/hub/index.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { RunResult } from '../support/project-folder.ts'
import { expectPassed, type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const REPO = 'org/embeddings'
const { env, hub, copyOf } = await startModelsHub([REPO])
const POOLS = ['forks', 'threads', 'vmForks', 'vmThreads']

const everywhere = (repo = REPO) => `
  import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
  import { models as imported } from 'vitest-model-cache/models'
  let path
  beforeAll(async () => { path = await imported.path('${repo}') })
  beforeEach(async ({ models }) => { expect(await models.path('${repo}')).toBe(path) })
  afterEach(async ({ models }) => { expect(await models.path('${repo}')).toBe(path) })
  test('by destructuring', async ({ models }) => { expect(await models.path('${repo}')).toBe(path) })
  test('by the context', async (ctx) => { expect(await ctx.models.path('${repo}')).toBe(path) })
  test.concurrent('concurrently', async ({ models, expect }) => { expect(await models.path('${repo}')).toBe(path) })
  describe('nested', () => {
    test('too', async ({ models }) => { expect(await models.path('${repo}')).toBe(path) })
  })
`

async function run(suites: Record<string, SuiteSource>, models: string[], files: Record<string, string> = {}) {
  const project = await Consumer.createForTests({ files: { ...suitesInOneRun(suites, { models }), ...files } })
  return project.vitest([], env).finally(() => project.remove())
}

describe('with a declared model', () => {
  const embeds = `
    import { expect, test } from 'vitest'
    test('embeds', async ({ models }) => {
      const embed = await models.pipeline('feature-extraction', '${REPO}')
      expect((await embed('A dog')).dims).toEqual([1, 4, 16])
      expect(document.createElement('p').outerHTML).toBe('<p></p>')
    })
  `
  const inPools = POOLS.flatMap((pool): [string, string, SuiteSource][] => [
    [
      `${pool}-node`,
      `gives models to tests, hooks and helpers in the pool ${pool}`,
      {
        source: everywhere(),
        options: `pool: '${pool}'`,
      },
    ],
    [
      `${pool}-jsdom`,
      `runs a real pipeline in jsdom in the pool ${pool}`,
      {
        source: embeds,
        options: `pool: '${pool}', environment: 'jsdom'`,
      },
    ],
  ])
  // The docblocks are written in two parts, because Vitest would take them for docblocks of this file.
  const withOptions = ['jsdom', 'happy-dom'].map((name): [string, string, SuiteSource] => [
    `options-${name}`,
    `passes the options of a docblock to ${name}`,
    {
      source: `/** @vitest-${'environment-options'} { "url": "https://example.com/path" } */
        import { expect, test } from 'vitest'
        test('url', ({ models }) => { expect(models && location.pathname).toBe('/path') })`,
      options: `environment: '${name}'`,
    },
  ])
  const cases: [name: string, title: string, suite: SuiteSource][] = [
    ...inPools,
    ...withOptions,
    [
      'docblock',
      'gives models when a docblock replaces the environment',
      {
        source: `// @vitest-${'environment'} happy-dom\n${everywhere()}`,
      },
    ],
    [
      'custom',
      "leaves a custom environment alone, and passes the environment's options through",
      {
        source: `${everywhere()}; test('is custom', () => { expect(greeting).toBe('hello') })`,
        options: `environment: './custom.js', environmentOptions: { greeting: 'hello' }`,
      },
    ],
    [
      'fixture',
      "lets the user's own fixture called models win",
      {
        source: `
        import { expect, test as base } from 'vitest'
        const test = base.extend({ models: async ({}, use) => { await use('my own') } })
        test('has it', ({ models }) => { expect(models).toBe('my own') })
      `,
      },
    ],
  ]
  const custom = `
    export default { name: 'custom', viteEnvironment: 'ssr', setup(global, options) { global.greeting = options.greeting; return { teardown() {} } } }
  `
  let result: RunResult
  beforeAll(async () => {
    const suites = Object.fromEntries(cases.map(([name, , suite]) => [name, suite]))
    result = await run(suites, [REPO], { 'custom.js': custom })
  })

  test.each(cases)('%s: %s', (name) => expectPassed(result, name))

  test('the run has no other result', () => expect(result.exitCode, result.output).toBe(0))
})

// The worker itself asks the Hub, without the fetch and the timers of the window.
describe('with no declared model', () => {
  const isItself = {
    jsdom: `expect(navigator.userAgent).toContain('jsdom')`,
    'happy-dom': `expect(navigator.userAgent).toContain('HappyDOM')`,
    'edge-runtime': `expect(EdgeRuntime).toBe('edge-runtime')`,
  }
  const cases = POOLS.flatMap((pool) =>
    Object.entries(isItself).map(([environment, check]) => ({ pool, environment, check })),
  )
  let result: RunResult
  let requests: LoggedRequest[]
  beforeAll(async () => {
    const suites = cases.map(({ pool, environment, check }): [string, SuiteSource] => [
      `${pool}-${environment}`,
      {
        source: `${everywhere(copyOf(REPO, `org/${pool}-${environment}`))}; test('is ${environment}', () => { ${check} })`,
        options: `pool: '${pool}', environment: '${environment}'`,
      },
    ])
    result = await run(Object.fromEntries(suites), [])
    requests = [...hub.requests]
  })

  test.each(cases)(
    'gives models in the pool $pool in $environment, which keeps its globals',
    ({ pool, environment }) => {
      expectPassed(result, `${pool}-${environment}`)
      const asked = requests.filter(({ repo }) => repo === `org/${pool}-${environment}`)
      expect(new Set(asked.map(({ method }) => method))).toEqual(new Set(['GET']))
    },
  )

  test('the run has no other result', () => expect(result.exitCode, result.output).toBe(0))
})

test('is not affected by fake timers and a changed clock', async () => {
  const source = `
    import { beforeEach, expect, test, vi } from 'vitest'
    beforeEach(() => { vi.useFakeTimers(); vi.setSystemTime(0); vi.stubGlobal('fetch', () => { throw new Error('stubbed') }) })
    test('on demand', async ({ models }) => {
      expect(await models.file({ repo: '${REPO}', revision: 'main' }, 'vocab.txt')).toContain('vocab.txt')
    })
  `
  const { exitCode, output, report } = await run({ a: { source } }, [REPO])
  expect(exitCode, output).toBe(0)
  expect(report?.models[0]?.lookupMs).toBeGreaterThan(0)
})
