import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

// `npm run matrix -- --tests` sets a `node_modules` with another Vitest, which takes precedence over the repository's.
const OTHER_MODULES = process.env.CONSUMER_MODULES
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const REPOSITORY_MODULES = join(REPOSITORY, 'node_modules')
/** Packages that suites of the tests import, and that only packages of the repository depend on. */
const INDIRECT = ['vite', 'jest-environment-node', '@jest/test-sequencer']

/** Puts a file of the package into a project. */
export type Place = (from: string, to: string) => void

/**
 * Links the packages that a project may import, and puts our package in a real folder, so that Node.js resolves its imports from
 * there. A linked package finds its own dependencies where it really is. `place` is called for each file of our package. All is
 * synchronous: hundreds of small steps that are handed to threads take ten times as long.
 */
export function installPackage(packageDirectory: string, directory: string, place: Place = copyFileSync): void {
  const modules = join(directory, 'node_modules')
  mkdirSync(modules)
  const linked = new Set(['vitest-model-cache'])
  const link = (name: string, from: string) => {
    if (linked.has(name)) return
    linked.add(name)
    const [scope = '', inner] = name.split('/')
    if (inner !== undefined) mkdirSync(join(modules, scope), { recursive: true })
    symlinkSync(join(from, name), join(modules, name))
  }
  if (OTHER_MODULES !== undefined) for (const name of packagesIn(OTHER_MODULES)) link(name, OTHER_MODULES)
  for (const name of [...namedPackages(), ...INDIRECT]) link(name, REPOSITORY_MODULES)
  const own = join(modules, 'vitest-model-cache')
  mkdirSync(own)
  place(join(packageDirectory, 'package.json'), join(own, 'package.json'))
  for (const part of ['dist', 'docs']) placeFolder(join(packageDirectory, part), join(own, part), place)
}

/** The packages that the repository's package.json names. */
function namedPackages(): string[] {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'))
  return Object.keys({ ...dependencies, ...devDependencies })
}

/** The names of all packages in a `node_modules`, scoped packages included. */
function packagesIn(modules: string): string[] {
  const names = readdirSync(modules).filter((name) => !name.startsWith('.'))
  return names.flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : name,
  )
}

function placeFolder(from: string, to: string, place: Place): void {
  mkdirSync(to)
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    const target = join(to, relative(from, path))
    if (entry.isDirectory()) mkdirSync(target)
    else place(path, target)
  }
}
