import { mockTranscript } from '../mocks/tasks.ts'
import { isLocation, SAMPLE_RATE } from './audio.ts'
import type { Transcriber } from './transcriber.ts'

/** A transcriber without a model. It returns the same text for the same audio, and does not open the file of a path. */
export function mockTranscriber(model: string): Transcriber {
  return {
    async transcribe(audio, options) {
      const text = mockTranscript(model, isLocation(audio) ? String(audio) : audio)
      const seconds = isLocation(audio) ? 1 : audio.length / SAMPLE_RATE
      options?.onProgress?.({ seconds, totalSeconds: seconds, text })
      return { text, ...(options?.timestamps && { chunks: [{ text, timestamp: [0, seconds] }] }) }
    },
    dispose: async () => undefined,
  }
}
