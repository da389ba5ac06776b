// Changes the source of transformers.js, however Node.js or Vitest reads it, so that it asks the bridge for its files.
import fs = require('node:fs')
import transformers = require('./transformers-source.cts')
import hook = require('./hook-loads.cts')

type ExtendSource = typeof import('./extend-source.cts')

interface Readers {
  readFileSync: typeof fs.readFileSync
  readFile: typeof fs.promises.readFile
}

const PATCHED = Symbol.for('vitest-model-cache.patched')

// As it is before a suite spies on it.
const { readFileSync } = fs

/** Extends a source of transformers.js. The code for it is loaded with the first source, by Node.js's own reader. */
function extended(source: unknown): unknown {
  const spy = fs.readFileSync
  fs.readFileSync = readFileSync
  try {
    const extend: ExtendSource = require('./extend-source.cjs')
    return extend.extended(source)
  } finally {
    fs.readFileSync = spy
  }
}

/** Patches once in each process. A vm context evaluates this file again. */
function patchSources(): void {
  if (Reflect.has(process, PATCHED)) return
  const { readFile } = fs.promises
  fs.readFileSync = function (this: unknown, path: unknown) {
    // biome-ignore lint/complexity/noArguments: as it came
    const content = Reflect.apply(readFileSync, this, arguments)
    return transformers.isTransformers(path) ? extended(content) : content
  } as typeof readFileSync
  fs.promises.readFile = function (this: unknown, path: unknown) {
    // biome-ignore lint/complexity/noArguments: as it came
    const content: Promise<unknown> = Reflect.apply(readFile, this, arguments)
    return transformers.isTransformers(path) ? content.then(extended) : content
  } as typeof readFile
  const own: Readers = { readFileSync: fs.readFileSync, readFile: fs.promises.readFile }
  Object.defineProperty(process, PATCHED, { value: own })
  hook.hookLoads((address, context, nextLoad) => {
    const loaded = nextLoad(address, context)
    return transformers.isTransformers(address) && loaded.source
      ? { ...loaded, source: extended(loaded.source) }
      : loaded
  })
}

/**
 * Loads a module while Node.js's own readers are in place. `import` would run what the spies of a suite return. The spies are put
 * back when the module is loaded.
 */
async function importAsIs<T>(load: () => Promise<T>): Promise<T> {
  const own: Readers | undefined = Reflect.get(process, PATCHED)
  const spies: Readers = { readFileSync: fs.readFileSync, readFile: fs.promises.readFile }
  if (own === undefined || (spies.readFileSync === own.readFileSync && spies.readFile === own.readFile)) return load()
  fs.readFileSync = own.readFileSync
  fs.promises.readFile = own.readFile
  try {
    return await load()
  } finally {
    fs.readFileSync = spies.readFileSync
    fs.promises.readFile = spies.readFile
  }
}

export = { patchSources, importAsIs, extended }
