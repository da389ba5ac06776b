import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Jest as a project has it. */
export interface InstalledJest {
  version: string
  /** The path of its program. */
  program: string
  /** Loads a package on which `jest` depends, or the last of `over`: each of these packages depends on the next one. */
  load<Module>(name: string, ...over: string[]): Module
}

/** The Jest that code in a folder would load. Undefined if it has none. Loads nothing of Jest. */
export function findJest(from: string): InstalledJest | undefined {
  const manifest = findPackage('jest', join(from, 'package.json'))
  if (manifest === undefined) return undefined
  const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'))
  return {
    version: String(version),
    program: join(dirname(manifest), typeof bin === 'string' ? bin : bin.jest),
    // With pnpm a package finds only its own dependencies.
    load(name, ...over) {
      const from = over.reduce((path, next) => findPackage(next, path) ?? path, manifest)
      return createRequire(from)(name)
    },
  }
}

/** The path of the `package.json` of a package that a module would load. */
function findPackage(name: string, module: string): string | undefined {
  try {
    return createRequire(module).resolve(`${name}/package.json`)
  } catch {
    return undefined
  }
}
