import { expect, test, vi } from 'vitest'
import { toSrt } from '../src/captions.ts'
import { MODEL } from './model.ts'
import { SPEECH } from './speech.ts'

// Nothing here depends on which words were heard, so it holds with MODEL_CACHE_MODE=unit too: no model, in milliseconds.
test('captions a recording', async ({ models }) => {
  const transcriber = await models.transcriber(MODEL)
  const onProgress = vi.fn()
  const { text, chunks = [] } = await transcriber.transcribe(SPEECH, { timestamps: true, onProgress })
  expect(text).not.toBe('')
  expect(onProgress).toHaveBeenLastCalledWith(expect.objectContaining({ text }))
  expect(toSrt(chunks)).toMatch(/^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n\S.*\n/)
})

test('numbers the captions and writes their times', () => {
  const srt = toSrt([
    { text: ' Good morning.', timestamp: [0, 1.5] },
    { text: ' Good night.', timestamp: [3725.25, null] },
  ])
  expect(srt).toBe('1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n\n2\n01:02:05,250 --> 01:02:07,250\nGood night.\n')
})
