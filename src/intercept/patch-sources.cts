// Changes the source of transformers.js, however Node.js or Vitest reads it, so that it asks the bridge for its files.
import fs = require('node:fs')
import extend = require('./extend-transformers.cts')
import hook = require('./hook-loads.cts')

interface Readers {
  readFileSync: typeof fs.readFileSync
  readFile: typeof fs.promises.readFile
}

const PATCHED = Symbol.for('vitest-model-cache.patched')

/** Patches once in each process. A vm context evaluates this file again. */
function patchSources(): void {
  if (Reflect.has(process, PATCHED)) return
  const { readFileSync } = fs
  const { readFile } = fs.promises
  fs.readFileSync = function (this: unknown, path: unknown) {
    // biome-ignore lint/complexity/noArguments: as it came
    const content = Reflect.apply(readFileSync, this, arguments)
    return extend.isTransformers(path) ? extend.extended(content) : content
  } as typeof readFileSync
  fs.promises.readFile = function (this: unknown, path: unknown) {
    // biome-ignore lint/complexity/noArguments: as it came
    const content: Promise<unknown> = Reflect.apply(readFile, this, arguments)
    return extend.isTransformers(path) ? content.then(extend.extended) : content
  } as typeof readFile
  const own: Readers = { readFileSync: fs.readFileSync, readFile: fs.promises.readFile }
  Object.defineProperty(process, PATCHED, { value: own })
  hook.hookLoads((address, context, nextLoad) => {
    const loaded = nextLoad(address, context)
    return extend.isTransformers(address) && loaded.source
      ? { ...loaded, source: extend.extended(loaded.source) }
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

export = { patchSources, importAsIs }
