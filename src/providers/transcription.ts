import type { AutomaticSpeechRecognitionPipeline, PretrainedModelOptions } from '@huggingface/transformers'
import type { ProviderDefinition } from './definition.ts'
import { importRuntime } from './import-runtime.ts'
import type { Transcriber, Transcript, TranscriptionProgress } from './transcriber.ts'
import { loadPipeline, pipelineSelection } from './transformers.ts'

const TASK = 'automatic-speech-recognition'
// The window of Whisper. Longer audio is cut into windows that overlap.
const WINDOW_SECONDS = 30
const OVERLAP_SECONDS = 5

/** Transcribes by the pipeline of @huggingface/transformers. */
export const transcriptionProvider: ProviderDefinition<Transcriber, PretrainedModelOptions> = {
  name: 'transcription',
  selection: (options) => pipelineSelection({ ...options, task: TASK }),
  load: async ({ model, options, root }) => {
    const pipeline = await loadPipeline({ model, options: { ...options, task: TASK }, root })
    return makeTranscriber(pipeline as AutomaticSpeechRecognitionPipeline, root)
  },
  mock: async ({ model }) => (await import('./mock-transcriber.ts')).mockTranscriber(model),
  dispose: (transcriber) => transcriber.dispose(),
}

function makeTranscriber(pipeline: AutomaticSpeechRecognitionPipeline, root: string): Transcriber {
  return {
    async transcribe(audio, options = {}) {
      const { readAudio, SAMPLE_RATE } = await import('./audio.ts')
      const samples = await readAudio(audio)
      const totalSeconds = samples.length / SAMPLE_RATE
      const isLong = totalSeconds > WINDOW_SECONDS
      const result = await pipeline(samples, {
        ...(isLong && { chunk_length_s: WINDOW_SECONDS, stride_length_s: OVERLAP_SECONDS }),
        ...(options.language && { language: options.language }),
        ...(options.timestamps && { return_timestamps: true }),
        ...(options.onProgress && { streamer: await makeStreamer(pipeline, root, totalSeconds, options.onProgress) }),
      })
      const { text, chunks } = Array.isArray(result) ? { text: '', chunks: undefined } : result
      options.onProgress?.({ seconds: totalSeconds, totalSeconds, text: text.trim() })
      return { text: text.trim(), ...(options.timestamps && { chunks: chunks as Transcript['chunks'] }) }
    },
    dispose: async () => {
      await pipeline.dispose()
    },
  }
}

/** A streamer that reports each piece of text when it is decoded, and the windows that are done. */
async function makeStreamer(
  pipeline: AutomaticSpeechRecognitionPipeline,
  root: string,
  totalSeconds: number,
  onProgress: (progress: TranscriptionProgress) => void,
) {
  const runtime = await importRuntime<typeof import('@huggingface/transformers')>('@huggingface/transformers', root)
  let text = ''
  let windows = 0
  const report = () => {
    const done = windows * (WINDOW_SECONDS - 2 * OVERLAP_SECONDS)
    onProgress({ seconds: Math.min(done, totalSeconds), totalSeconds, text: text.trim() })
  }
  return new (class extends runtime.TextStreamer {
    override end() {
      super.end()
      windows++
      report()
    }
  })(pipeline.tokenizer, {
    skip_prompt: true,
    callback_function: (piece: string) => {
      text += piece
      report()
    },
  })
}
