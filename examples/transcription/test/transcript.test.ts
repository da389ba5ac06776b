import { expect, test } from 'vitest'
import { MODEL } from './model.ts'
import { SPEECH } from './speech.ts'

const isUnit = process.env.MODEL_CACHE_MODE === 'unit'

// Only a real model hears words.
test.runIf(!isUnit)('hears what was said', async ({ models }) => {
  const transcriber = await models.transcriber(MODEL)
  const { text } = await transcriber.transcribe(SPEECH)
  // "cache" and "cash" sound the same.
  expect(text).toMatch(/model ca(che|sh)/i)
})
