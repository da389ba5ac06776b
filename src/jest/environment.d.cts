// The types for CommonJS, also for TypeScript that is compiled to it. build.ts copies this file, with the endings of built files.
import type * as esm from './environment.ts' with { 'resolution-mode': 'import' }

export declare const withModels: typeof esm.withModels
