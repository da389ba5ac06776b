import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A package as a module finds it. */
interface FoundPackage {
  /** The path of its `package.json`. */
  manifest: string
  version: string
  /** The path of the program that has the name of the package. */
  program: string
}

/** Jest as a project has it. */
export interface InstalledJest extends FoundPackage {
  /** Loads a package on which `jest` depends, or the last of `over`: each of these packages depends on the next one. */
  load<Module>(name: string, ...over: string[]): Module
}

/** The Jest that code in a folder would load. Undefined if it has none. Loads nothing of Jest. */
export function findJest(from: string): InstalledJest | undefined {
  const found = findPackage('jest', join(from, 'package.json'))
  if (!found) return undefined
  return {
    ...found,
    // With pnpm a package finds only its own dependencies.
    load(name, ...over) {
      const from = over.reduce((path, next) => manifestOf(next, path) ?? path, found.manifest)
      return createRequire(from)(name)
    },
  }
}

/** The package that a module would load. Undefined if it finds none. */
export function findPackage(name: string, module: string): FoundPackage | undefined {
  const manifest = manifestOf(name, module)
  if (manifest === undefined) return undefined
  const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'))
  return { manifest, version: String(version), program: join(dirname(manifest), Object(bin)[name] ?? String(bin)) }
}

function manifestOf(name: string, module: string): string | undefined {
  try {
    return createRequire(module).resolve(`${name}/package.json`)
  } catch {
    return undefined
  }
}
