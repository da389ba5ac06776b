import { access } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub(['org/embeddings'])

test('gives mocks with the shapes of the real ones, without a file and without the network', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/embeddings'], mode: 'unit' }),
      'a.test.ts': `
        import { expect, test } from 'vitest'
        test('pipelines', async ({ models }) => {
          const embed = await models.pipeline('feature-extraction', 'org/embeddings')
          const [one, again, other] = [...(await Promise.all(['a', 'a', 'b'].map((text) => embed(text, { pooling: 'mean' }))))]
          expect(one.dims).toEqual([1, 384])
          expect((await embed('a dog')).dims).toEqual([1, 4, 384])
          expect(one.data).toBeInstanceOf(Float32Array)
          expect(one.tolist()).toEqual(again.tolist())
          expect(one.tolist()).not.toEqual(other.tolist())
          const classify = await models.pipeline('sentiment-analysis', 'org/any')
          expect(await classify('fine')).toEqual([{ label: expect.any(String), score: expect.any(Number) }])
        })
        test('transcriber', async ({ models }) => {
          const { transcribe } = await models.transcriber('org/any')
          expect(await transcribe('no-such-file.wav')).toEqual({ text: expect.stringContaining('mock transcript') })
        })
        test('a task without a mock is an error', async ({ models }) => {
          const refusal = { code: 'UNIT_MODE', nextStep: expect.stringContaining('MODEL_CACHE_MODE=integration') }
          await expect(models.path('org/any')).rejects.toMatchObject(refusal)
          await expect(models.file('org/any', 'x')).rejects.toMatchObject(refusal)
          await expect(models.session('org/any', 'x')).rejects.toMatchObject(refusal)
          await expect(models.provider('files').load('org/any')).rejects.toMatchObject(refusal)
        })
      `,
    },
  })
  const { exitCode, output } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output).not.toContain('Model cache')
  expect(hub.requests).toEqual([])
  await expect(access(consumer.cacheDir)).rejects.toMatchObject({ code: 'ENOENT' })
})
