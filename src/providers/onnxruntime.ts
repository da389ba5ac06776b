import type { InferenceSession } from 'onnxruntime-node'
import { ModelCacheError } from '../model/errors.ts'
import type { OwnLoadContext, ProviderDefinition } from './definition.ts'
import { importRuntime } from './import-runtime.ts'

/** The options of `InferenceSession.create`, and which ONNX file of the repo. */
export type OnnxRuntimeOptions = InferenceSession.SessionOptions & { file: string }

/** Loads sessions of onnxruntime-node from the file in the cache. It has no mock: the shapes of the outputs are in the file. */
export const onnxruntimeProvider: ProviderDefinition<InferenceSession, OnnxRuntimeOptions> = {
  name: 'onnxruntime',
  selection: ({ file }) => {
    if (!file) throw noFile()
    // External data is in files beside the model: `<file>_data`, `<file>_data_1` and so on, or `<file>.data`.
    const escaped = file.replace(/[*?[\]{}()!+@\\]/g, '\\$&')
    return { files: [file], optional: [`${escaped}_data`, `${escaped}_data_*`, `${escaped}.data`] }
  },
  load: async ({ model, options, root, createSession }: OwnLoadContext<OnnxRuntimeOptions>) => {
    const { InferenceSession, env } = await importRuntime<typeof import('onnxruntime-node')>('onnxruntime-node', root)
    const { file, ...sessionOptions } = options
    return createSession(
      { model: model.file(file), options: sessionOptions, version: env?.versions?.node, runs: InferenceSession.create },
      (path, options) => InferenceSession.create(String(path), options),
    )
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
