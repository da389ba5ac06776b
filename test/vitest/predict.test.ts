import { cp, mkdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub([])
for (const name of ['org/a', 'org/b', 'org/undeclared']) hub.addRepo(name, { files: { 'config.json': `"${name}"` } })

const testOf = (uses: Record<string, string>) => `
  import { test } from 'vitest'
  ${Object.entries(uses)
    .map(([name, repo]) => `test('${name}', ({ models }) => models.file('${repo}', 'config.json'))`)
    .join('\n')}
`

test('a run downloads before its tests what its own test files used before, and nothing else', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/a', 'org/b'] }),
      'a.test.ts': testOf({ one: 'org/a' }),
      'package.json': '{ "type": "module", "imports": { "#ids": "./lib/ids.ts" } }',
      'lib/ids.ts': "export const UNDECLARED = 'org/undeclared'",
      'b.test.ts': `
        import { test } from 'vitest'
        import { UNDECLARED } from '#ids'
        test('one', ({ models }) => models.file('org/b', 'config.json'))
        test('two', ({ models }) => models.file(UNDECLARED, 'config.json'))
      `,
      'none.test.ts': "import { test } from 'vitest'\ntest('one', () => undefined)",
    },
  })
  let folder = consumer.cacheDir
  let copies = 0
  /** Runs tests with an empty cache that has the records of all runs so far. */
  const runCold = async (...args: string[]) => {
    const next = `${consumer.cacheDir} ${++copies}`
    await mkdir(next)
    for (const name of ['cache.json', 'runs']) await cp(`${folder}/${name}`, `${next}/${name}`, { recursive: true })
    folder = next
    hub.clearRequests()
    const result = await consumer.vitest(args, { ...env, MODEL_CACHE_DIR: folder })
    expect(result.exitCode, result.output).toBe(0)
    const repos = hub.requests.filter(({ kind }) => kind === 'resolve').map(({ repo }) => repo)
    return { ...result, downloaded: [...new Set(repos)].sort() }
  }

  const first = await consumer.vitest([], env)
  expect(first.exitCode, first.output).toBe(0)
  // Without a history, the sources of the test files tell.
  const all = { used: ['org/a', 'org/b', 'org/undeclared'], unused: [], unpredicted: [] }
  expect(first.report).toMatchObject({ prediction: all, misses: 3 })

  const one = await runCold('a.test')
  expect(one.downloaded).toEqual(['org/a'])
  expect(one.report?.prediction).toEqual({ used: ['org/a'], unused: [], unpredicted: [] })

  // The history of all test files is still known after a run of one.
  const halves = await runCold('--shard=1/3')
  const used = halves.report?.prediction?.used ?? []
  expect(halves.downloaded).toEqual(used)
  expect(halves.report?.prediction).toMatchObject({ unused: [], unpredicted: [] })

  const byName = await runCold('-t', 'two', 'b.test')
  expect(byName.downloaded).toEqual(['org/b', 'org/undeclared'])
  expect(byName.output).toContain('predicted and downloaded, but not used: org/b')
  await consumer.write({ 'b.test.ts': testOf({ one: 'org/b', two: 'org/a' }) })
  const again = await runCold('-t', 'two', 'b.test', 'none.test')
  expect(again.downloaded).toEqual(['org/a', 'org/undeclared'])
  expect(again.report?.prediction).toEqual({ used: ['org/a'], unused: ['org/undeclared'], unpredicted: [] })
})
