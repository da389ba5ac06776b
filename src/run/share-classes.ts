import { hostValue, TYPED_ARRAYS } from '../platform/originals.ts'

// onnxruntime-node tells typed arrays by their class, and knows those of Node.js itself. A vm context has classes of its
// own, and jsdom puts its window's in place of Node.js's: in both every model would fail ("A float32 tensor's data must
// be type of function Float32Array()"). Sharing the classes mends both directions.

// transformers.js needs them to read a local file, and the vm contexts of jsdom lack some. In the other pools Vitest
// leaves those of Node.js in place; here they are filled in where there are none.
const FILLED_IN = ['ReadableStream', 'WritableStream', 'TransformStream', 'Response', 'Request', 'Headers', 'fetch']

/** Gives a global object, a context's or one that an environment changed, the classes of Node.js that runtimes know. */
export function shareClasses(global: object): void {
  for (const name of [...TYPED_ARRAYS, ...FILLED_IN.filter((name) => !(name in global))]) {
    const value = hostValue(name)
    // Float16Array exists from Node.js 24 on.
    if (value !== undefined) Reflect.set(global, name, value)
  }
}
