// For its types: `models` in the test context. An `import type {}` would not survive into the declaration file.

export { models } from './providers/models-of-test.ts'
export type {} from './vitest/channel.ts'
