import { hostValue, TYPED_ARRAYS } from '../../platform/originals.ts'

// onnxruntime-node recognizes typed arrays by their class, and knows only the classes of Node.js. A vm context has classes of
// its own, and jsdom replaces the classes of Node.js by those of its window. In both, every model would fail ("A float32 tensor's
// data must be type of function Float32Array()"), for tensors that a test makes and for tensors that it gets.

// transformers.js needs these, and the vm contexts of windows lack some. They are added where they are missing.
const FILLED_IN = [
  ...['ReadableStream', 'WritableStream', 'TransformStream', 'Response', 'Request', 'Headers', 'fetch'],
  ...['setImmediate', 'clearImmediate', 'structuredClone', 'TextEncoder', 'TextDecoder'],
]

/** Gives the classes of Node.js to a global object: that of a vm context, or one that an environment changed. */
export function shareClasses(global: object): void {
  for (const name of [...TYPED_ARRAYS, ...FILLED_IN.filter((name) => !(name in global))]) {
    const value = hostValue(name)
    // Float16Array exists from Node.js 24 on.
    if (value !== undefined) Reflect.set(global, name, value)
  }
}
