import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Hub, startHub } from '../hub/index.ts'
import { makeEmbeddingModel, makeWhisperModel } from '../model-maker/index.ts'
import { removeFolder } from '../remove-folder.ts'

/** The token in the documents. */
export const TOKEN = 'hf_your_token'

export interface DocumentsHub {
  hub: Hub
  /** The vector length of the generated embedding model; the real model has 384. */
  dimension: number
  close: () => Promise<void>
}

/** A Hub with generated models under all names that the documents use. */
export async function startDocumentsHub(): Promise<DocumentsHub> {
  const directory = await mkdtemp(join(tmpdir(), 'models of the documents '))
  const [embeddings, whisper] = await Promise.all([
    makeEmbeddingModel(join(directory, 'embeddings'), { size: 1_000_000, dtypes: ['fp32', 'q8'] }),
    makeWhisperModel(join(directory, 'whisper')),
  ])
  const hub = await startHub({ token: TOKEN })
  hub.addRepo('Xenova/all-MiniLM-L6-v2', { directory: embeddings.directory, pipelineTag: 'feature-extraction' })
  hub.addRepo('onnx-community/whisper-tiny.en', {
    directory: whisper.directory,
    files: await quantized(whisper.directory, ['encoder_model', 'decoder_model_merged']),
    pipelineTag: 'automatic-speech-recognition',
  })
  const weights = { 'config.json': '{}', 'model-q4.gguf': 'weights' }
  hub.addRepo('org/weights', { files: weights })
  hub.addRepo('org/private', { files: weights, private: true })
  const close = async () => {
    await hub.close()
    await removeFolder(directory)
  }
  return { hub, dimension: embeddings.dimension, close }
}

/** The same weights under the names of the q8 files. A `doc_string` is added, so that their digests differ. */
async function quantized(directory: string, names: string[]): Promise<Record<string, Uint8Array>> {
  const files = names.map(async (name) => {
    const weights = await readFile(join(directory, 'onnx', `${name}.onnx`))
    return [`onnx/${name}_quantized.onnx`, Buffer.concat([weights, Buffer.from([0x32, 2]), Buffer.from('q8')])] as const
  })
  return Object.fromEntries(await Promise.all(files))
}
