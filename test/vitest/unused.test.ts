import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub(['org/embeddings'])

const LOADS = `
  import { pipeline } from '@huggingface/transformers'
  import { test } from 'vitest'
  test('loads', async () => { await pipeline('feature-extraction', 'org/embeddings', { dtype: 'q8' }) })
`
const weights = () =>
  hub.requests.flatMap(({ kind, file }) => (kind === 'resolve' && file?.endsWith('.onnx') ? [file] : [])).sort()

test('a declared model that no test uses is reported with the line to write, and is left out of the next warm-up', async () => {
  const files = { 'vitest.config.ts': configSource({ models: ['org/embeddings'] }), 'a.test.ts': LOADS }
  const consumer = await Consumer.create({ files })
  const partial = await consumer.vitest(['a.test'], { ...env, MODEL_CACHE_DIR: `${consumer.cacheDir}-partial` })
  expect(partial.output).not.toContain('not used')
  hub.clearRequests()
  const cold = await consumer.vitest([], env)
  expect(cold.exitCode, cold.output).toBe(0)
  expect(cold.output.replace(/\s+/g, ' ')).toMatch(
    /⚠ declared but not used: onnx\/model\.onnx \(.*\) of org\/embeddings\. Write { repo: 'org\/embeddings', dtype: 'q8' } in/,
  )
  expect(weights()).toEqual(['onnx/model.onnx', 'onnx/model_quantized.onnx'])

  await consumer.cli(['rm', 'org/embeddings', '--yes'], env)
  hub.clearRequests()
  const next = await consumer.vitest([], env)
  expect(next.exitCode, next.output).toBe(0)
  expect(next.output).not.toContain('not used')
  expect(next.report).toMatchObject({ requests: 1, misses: 1 })
  expect(weights()).toEqual(['onnx/model_quantized.onnx'])
})
