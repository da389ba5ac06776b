import type { Hash } from 'node:crypto'
import process from 'node:process'

// Loading node:crypto takes 2 ms. A worker that finds its models by the manifest of the warm-up computes no digest, so it does not load
// the module.

type Functions = Pick<typeof import('node:crypto'), 'createHash' | 'randomBytes'>

let kept: Functions | undefined

/** Loads node:crypto. An import passes on Node.js's own functions, also where a suite spies on the module. */
export async function keepCrypto(): Promise<void> {
  if (kept) return
  const { createHash, randomBytes } = await import('node:crypto')
  kept = { createHash, randomBytes }
}

/** Keeps the functions of node:crypto if the process has loaded it: a suite can spy only on a module that is loaded. */
export async function keepLoadedCrypto(): Promise<void> {
  const loaded: string[] | undefined = Reflect.get(process, 'moduleLoadList')
  if (loaded?.includes('NativeModule crypto') !== false) await keepCrypto()
}

export function createHash(algorithm: string): Hash {
  return functions().createHash(algorithm)
}

export function randomBytes(size: number): Buffer {
  return functions().randomBytes(size)
}

function functions(): Functions {
  if (kept) return kept
  const { createHash, randomBytes } = process.getBuiltinModule('node:crypto')
  kept = { createHash, randomBytes }
  return kept
}
