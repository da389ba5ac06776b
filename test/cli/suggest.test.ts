import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub(['org/embeddings'])
hub.addRepo('org/files', { files: { 'config.json': '{}', 'weights.bin': 'w' } })
const plain = hub.addRepo('org/plain', { files: { 'data.bin': 'd' } })

const UNTOUCHED = `
  import { pipeline } from '@huggingface/transformers'
  import { test } from 'vitest'
  test('embeds', async () => { await pipeline('feature-extraction', 'org/embeddings', { dtype: 'q8' }) })
`
const ASKS = `
  import { test } from 'vitest'
  test('asks', async ({ models }) => {
    await models.file('org/files', 'config.json')
    await models.path('org/plain@${plain.commit}')
  })
`

test('`suggest` prints the models of the last runs and writes them; `warm` and `key` read them from the config', async () => {
  const consumer = await Consumer.create({
    files: { 'vitest.config.ts': configSource(), 'a.test.ts': UNTOUCHED, 'b.test.ts': ASKS },
  })
  const before = await consumer.cli(['suggest'], env)
  expect(before).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('run the tests once') })
  const run = await consumer.vitest([], env)
  expect(run.exitCode, run.output).toBe(0)
  const [text, json] = await Promise.all([consumer.cli(['suggest'], env), consumer.cli(['suggest', '--json'], env)])
  expect(text.stdout.split('\n')).toEqual([
    'models: [',
    "  { repo: 'org/embeddings', task: 'feature-extraction', dtype: 'q8' },",
    "  { repo: 'org/files', files: ['config.json'] },",
    `  'org/plain@${plain.commit}',`,
    '],',
  ])
  expect(JSON.parse(json.stdout)).toMatchObject({
    runs: 1,
    models: [
      { repo: 'org/embeddings', revision: 'main', task: 'feature-extraction', dtype: 'q8' },
      { repo: 'org/files', files: ['config.json'] },
      { repo: 'org/plain', revision: plain.commit },
    ],
  })

  const declared = await consumer.cli(['key', '--config'], env)
  const written = await consumer.cli(['suggest', '--write', '--yes'], env)
  expect(written, written.output).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('Wrote vitest.config.ts.'),
  })
  const again = await consumer.cli(['suggest', '--write'], env)
  expect(again).toMatchObject({ exitCode: 0, stdout: 'vitest.config.ts declares all models of the last runs.' })
  const after = await consumer.cli(['key', '--config'], env)
  expect(after.stdout).toMatch(/^[0-9a-f]{16}$/)
  expect(after.stdout).not.toBe(declared.stdout)
  // An empty cache gets all of them.
  const warmed = await consumer.cli(['warm', 'org/*'], { ...env, MODEL_CACHE_DIR: `${consumer.cacheDir} 2` })
  expect(warmed.exitCode, warmed.output).toBe(0)
  expect(warmed.stdout).toMatch(/org\/embeddings \(feature-extraction, q8\).*org\/files \(config.json\).*org\/plain@/s)
})
