// The types for `require`, and for `import` in TypeScript that is compiled to CommonJS. build.ts copies this file.
import type * as esm from './environment.js' with { 'resolution-mode': 'import' }

export declare const withModels: typeof esm.withModels
