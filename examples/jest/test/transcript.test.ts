import { expect, test } from '@jest/globals'
import { models } from 'vitest-model-cache/jest'

const isUnit = process.env.MODEL_CACHE_MODE === 'unit'

// Only a real model hears words. "cache" and "cash" sound the same.
test('hears what was said', async () => {
  const transcriber = await models.transcriber('onnx-community/whisper-tiny.en')
  const { text } = await transcriber.transcribe('test/speech.wav')
  expect(text).toMatch(isUnit ? /./ : /model ca(che|sh)/i)
})

test('times what was said', async () => {
  // The same model as above: this worker has it loaded.
  const transcriber = await models.transcriber('onnx-community/whisper-tiny.en')
  const { chunks = [] } = await transcriber.transcribe('test/speech.wav', { timestamps: true })
  expect(chunks[0]?.timestamp[0]).toBe(0)
})
