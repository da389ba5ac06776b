// The types for CommonJS, also for TypeScript that is compiled to it. build.ts copies this file, with the endings of built files.
import type * as esm from './index.ts' with { 'resolution-mode': 'import' }

export declare const models: typeof esm.models
export declare const defineProvider: typeof esm.defineProvider
export declare const withModelCache: typeof esm.withModelCache
export type ConfigWithModels = esm.ConfigWithModels
