import type { Workshop } from './lanes.ts'

/** A package that passes on transformers.js 3.8.1, which npm installs below it. */
export const WRAPPER = 'embedding-wrapper'

/** Returns the path of its tarball. */
export function packWrapper(workshop: Workshop): Promise<string> {
  return workshop.pack(WRAPPER, {
    'package.json': JSON.stringify({
      name: WRAPPER,
      version: '1.0.0',
      exports: { import: './index.mjs', require: './index.cjs' },
      types: './index.d.ts',
      dependencies: { '@huggingface/transformers': '3.8.1' },
    }),
    'index.d.ts': `export { env, pipeline } from '@huggingface/transformers'`,
    'index.mjs': `export { env, pipeline } from '@huggingface/transformers'`,
    'index.cjs': `module.exports = require('@huggingface/transformers')`,
  })
}

/** Overrides: two versions of onnxruntime-node can't be loaded into one process. The second finds libonnxruntime.so.1 of the first. */
export const ONE_RUNTIME = { 'onnxruntime-node': '1.30.0', 'onnxruntime-common': '1.30.0' }
