import type { AllTasks, PipelineType, PretrainedModelOptions } from '@huggingface/transformers'
import { ModelCacheError } from '../model/errors.ts'
import type { Selection } from '../model/selection.ts'
import { canonicalTask } from '../model/task.ts'
import type { LoadContext, ProviderDefinition } from './definition.ts'
import { importRuntime } from './import-runtime.ts'

type Transformers = typeof import('@huggingface/transformers')

/** The options of transformers.js's `pipeline`, and the task. */
export type TransformersOptions = PretrainedModelOptions & { task: PipelineType }
export type AnyPipeline = AllTasks[PipelineType]

/** Loads pipelines of @huggingface/transformers from the files in the cache. */
export const transformersProvider: ProviderDefinition<AnyPipeline, TransformersOptions> = {
  name: 'transformers',
  selection: pipelineSelection,
  load: loadPipeline,
  mock: async ({ model, options }) => {
    const { mockPipeline } = await import('../mocks/pipeline.ts')
    // The mock has only what all pipelines have in common.
    return mockPipeline(options.task, model) as unknown as AnyPipeline
  },
  dispose: async (pipeline) => {
    await pipeline.dispose()
  },
}

/** The files that `pipeline()` will open. */
export function pipelineSelection(options: Omit<TransformersOptions, 'task'> & { task?: string }): Selection {
  if (!options.task)
    throw new ModelCacheError({
      code: 'PROVIDER_FAILED',
      asked: 'Provider "transformers"',
      reason: 'No task was given.',
      nextStep: 'Write `load(model, { task: "feature-extraction" })`.',
    })
  const { task, dtype, subfolder, model_file_name, use_external_data_format } = options
  return {
    task: canonicalTask(task),
    dtype: dtype ?? undefined,
    externalData: use_external_data_format ?? undefined,
    // `onnx` is the default. A request that names it has the same selection.
    subfolder: subfolder === 'onnx' ? undefined : (subfolder ?? undefined),
    modelFileName: model_file_name ?? undefined,
  }
}

/**
 * Loads a pipeline with the snapshot folder as its model. transformers.js then opens the cached files themselves: it sends no
 * request, makes no copy, and does not read weights into memory first.
 */
export async function loadPipeline({ model, options, root }: LoadContext<TransformersOptions>): Promise<AnyPipeline> {
  const { pipeline, env } = await importRuntime<Transformers>('@huggingface/transformers', root)
  const { task, revision: _revision, cache_dir: _cacheDir, ...rest } = options
  return withLocalModels(env, async () => pipeline(task, model.directory, { ...rest, local_files_only: true }))
}

const loading = new WeakMap<object, { count: number; allowed: boolean }>()

/** Allows local models while a pipeline loads, and restores the setting. A suite may forbid local models for its own loads. */
async function withLocalModels<T>(env: Transformers['env'], load: () => Promise<T>): Promise<T> {
  const state = loading.get(env) ?? { count: 0, allowed: env.allowLocalModels }
  if (state.count === 0) state.allowed = env.allowLocalModels
  loading.set(env, state)
  state.count++
  env.allowLocalModels = true
  try {
    return await load()
  } finally {
    state.count--
    if (state.count === 0) env.allowLocalModels = state.allowed
  }
}
