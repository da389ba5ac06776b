// For its types: `models` in the test context. An `import type {}` would not survive into the declaration file.

export type { ModelCacheOptions } from './config/options.ts'
export { type ErrorCode, ModelCacheError } from './model/errors.ts'
export type { ModelSpec } from './model/model.ts'
export type { Dtype, DtypeChoice } from './model/selection.ts'
export type { LoadContext, MockContext, Provider, ProviderDefinition } from './providers/definition.ts'
export type { Models, Providers } from './providers/models.ts'
export { defineProvider } from './providers/slot.ts'
export type { Transcriber, Transcript, TranscriptionProgress } from './providers/transcriber.ts'
export type { ModelReport, Report } from './report/report.ts'
export type {} from './vitest/channel.ts'
export { type ModelCachePlugin, modelCache } from './vitest/plugin.ts'
