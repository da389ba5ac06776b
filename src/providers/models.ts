import type { AllTasks, PipelineType, PretrainedModelOptions } from '@huggingface/transformers'
import type { InferenceSession } from 'onnxruntime-node'
import { noMock } from '../mocks/unit-mode-error.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type ModelSpec, parseModel } from '../model/model.ts'
import type { AnyDefinition, Provider } from './definition.ts'
import { ProviderFactory, type ProviderSettings } from './factory.ts'
import { filesProvider, type ModelFiles } from './files.ts'
import { type OnnxRuntimeOptions, onnxruntimeProvider } from './onnxruntime.ts'
import type { Transcriber } from './transcriber.ts'
import { transcriptionProvider } from './transcription.ts'
import { type AnyPipeline, type TransformersOptions, transformersProvider } from './transformers.ts'

/** The providers by name. A user adds the type of an own provider by augmenting this interface. */
export interface Providers {
  transformers: Provider<AnyPipeline, TransformersOptions>
  transcription: Provider<Transcriber, PretrainedModelOptions>
  onnxruntime: Provider<InferenceSession, OnnxRuntimeOptions>
  files: Provider<ModelFiles>
}

/** `models` in the context of a test: models of the Hub, served from the cache. */
export interface Models {
  /** A pipeline of @huggingface/transformers. The same arguments in one worker return the same loaded instance. */
  pipeline<Task extends PipelineType>(
    task: Task,
    model: ModelSpec,
    options?: PretrainedModelOptions,
  ): Promise<AllTasks[Task]>
  /** Speech to text. */
  transcriber(model: ModelSpec, options?: PretrainedModelOptions): Promise<Transcriber>
  /** A session of onnxruntime-node for one ONNX file of the repo. */
  session(model: ModelSpec, file: string, options?: InferenceSession.SessionOptions): Promise<InferenceSession>
  /** The absolute path of the snapshot folder, for any other runtime. */
  path(model: ModelSpec): Promise<string>
  /** The absolute path of one file. */
  file(model: ModelSpec, file: string): Promise<string>
  /** Makes a provider, with `load`, `download`, `remove`, `dispose` and more. Throws `PROVIDER_UNKNOWN`. */
  provider<Name extends keyof Providers>(name: Name): Providers[Name]
  provider(name: string): Provider
}

/** The providers of this package. */
export const OWN_PROVIDERS: readonly AnyDefinition[] = [
  transformersProvider,
  transcriptionProvider,
  onnxruntimeProvider,
  filesProvider,
]

/** Makes the `models` of one worker. A provider is looked up in `definitions` when it is asked for, so it may be added later. */
export function makeModels(
  settings: ProviderSettings,
  definitions: ReadonlyMap<string, AnyDefinition>,
): { models: Models; disposeAll: () => Promise<void> } {
  const factory = new ProviderFactory(settings)
  const transformers = factory.create(transformersProvider)
  const transcription = factory.create(transcriptionProvider)
  const onnxruntime = factory.create(onnxruntimeProvider)
  const files = factory.create(filesProvider)
  const models: Models = {
    pipeline: (task, model, options) =>
      fromCaller(
        models.pipeline,
        // The task decides the type of the pipeline. The type of the provider can't express that.
        async () => (await transformers.load(model, { ...options, task })) as AllTasks[typeof task],
      ),
    transcriber: (model, options) => fromCaller(models.transcriber, () => transcription.load(model, options)),
    session: (model, file, options) => fromCaller(models.session, () => onnxruntime.load(model, { ...options, file })),
    path: (model) =>
      fromCaller(models.path, async () => {
        if (settings.mode === 'unit') throw noMock('models.path()')
        return (await files.load(model)).directory
      }),
    file: (model, file) =>
      fromCaller(models.file, async () => {
        if (settings.mode === 'unit') throw noMock('models.file()')
        return (await files.load(oneFile(model, file))).file(file)
      }),
    provider: (name: string) => factory.create(findDefinition(definitions, name)) as Provider<never, never>,
  }
  return { models, disposeAll: () => factory.disposeAll() }
}

/**
 * Gives an error of the cache the stack of the test's call. V8 keeps ten frames of a stack, and frames of this package would fill
 * them.
 */
async function fromCaller<T>(method: (...args: never[]) => unknown, load: () => Promise<T>): Promise<T> {
  const caller = { stack: '' }
  // A suite may have removed this function, which only V8 has, or may have stacks made in another form.
  Error.captureStackTrace?.(caller, method)
  try {
    return await load()
  } catch (error) {
    const frames = String(caller.stack)
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
    // A spy of the test may have replaced the method. Then there are no frames.
    if (error instanceof ModelCacheError && frames.length > 0) {
      error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n')
      withoutFrames(error.cause)
    }
    throw error
  }
}

/** Removes the frames of causes. Jest prints them, and they are all of this package and of Node.js. */
function withoutFrames(cause: unknown): void {
  if (!(cause instanceof Error)) return
  cause.stack = `${cause.name}: ${cause.message}`
  withoutFrames(cause.cause)
}

function oneFile(model: ModelSpec, file: string): ModelSpec {
  const { repo, revision } = parseModel(model)
  return { repo, revision, files: [file] }
}

function findDefinition(definitions: ReadonlyMap<string, AnyDefinition>, name: string) {
  const definition = definitions.get(name)
  if (definition) return definition
  throw new ModelCacheError({
    code: 'PROVIDER_UNKNOWN',
    asked: `Provider "${name}"`,
    reason: 'No provider of that name is registered in this worker.',
    nextStep: `There are ${[...definitions.keys()].join(', ')}; register your own with defineProvider() in a module that the option \`providers\` names.`,
  })
}
