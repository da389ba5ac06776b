// The types for `require`, and for `import` in TypeScript that is compiled to CommonJS. build.ts copies this file.
import type * as esm from './index.js' with { 'resolution-mode': 'import' }

export declare const models: typeof esm.models
export declare const defineProvider: typeof esm.defineProvider
export declare const withModelCache: typeof esm.withModelCache
export type ConfigWithModels = esm.ConfigWithModels
