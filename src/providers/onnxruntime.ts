import type { InferenceSession } from 'onnxruntime-node'
import { ModelCacheError } from '../model/errors.ts'
import type { ProviderDefinition } from './definition.ts'
import { importRuntime } from './import-runtime.ts'

/** The options of `InferenceSession.create`, and which ONNX file of the repo. */
export type OnnxRuntimeOptions = InferenceSession.SessionOptions & { file: string }

/** Sessions of onnxruntime-node over the file in the cache. There is no mock: its shapes are in the file. */
export const onnxruntimeProvider: ProviderDefinition<InferenceSession, OnnxRuntimeOptions> = {
  name: 'onnxruntime',
  selection: ({ file }) => {
    if (!file) throw noFile()
    // External data lies beside the model: `<file>_data`, `<file>_data_1`... or `<file>.data`.
    const escaped = file.replace(/[*?[\]{}()!+@\\]/g, '\\$&')
    return { files: [file], optional: [`${escaped}_data`, `${escaped}_data_*`, `${escaped}.data`] }
  },
  load: async ({ model, options, root }) => {
    const { InferenceSession } = await importRuntime<typeof import('onnxruntime-node')>('onnxruntime-node', root)
    const { file, ...sessionOptions } = options
    return InferenceSession.create(model.file(file), sessionOptions)
  },
  dispose: (session) => session.release(),
}

function noFile(): ModelCacheError {
  return new ModelCacheError({
    code: 'PROVIDER_FAILED',
    asked: 'Provider "onnxruntime"',
    reason: 'No file was given.',
    nextStep: 'Write `models.session(model, "onnx/model.onnx")`.',
  })
}
