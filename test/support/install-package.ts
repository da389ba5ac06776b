import { copyFileSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

// `npm run matrix -- --tests` sets a `node_modules` with another Vitest, which takes precedence over the repository's.
const REPOSITORY_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))
const MODULES = [process.env.CONSUMER_MODULES ?? [], REPOSITORY_MODULES].flat()

/** Puts a file of the package into a project. */
export type Place = (from: string, to: string) => void

/**
 * Links the repository's modules, and puts the package in a real folder, so that Node.js resolves its imports from there.
 * `place` is called for each file of the package. All is synchronous: a thousand small steps that are handed to threads take ten
 * times as long.
 */
export function installPackage(packageDirectory: string, directory: string, place: Place = copyFileSync): void {
  const modules = join(directory, 'node_modules')
  mkdirSync(modules)
  const linked = new Set(['vitest-model-cache'])
  for (const from of MODULES)
    for (const name of packagesIn(from)) {
      if (linked.has(name)) continue
      linked.add(name)
      const [scope = '', inner] = name.split('/')
      if (inner !== undefined) mkdirSync(join(modules, scope), { recursive: true })
      symlinkSync(join(from, name), join(modules, name))
    }
  const own = join(modules, 'vitest-model-cache')
  mkdirSync(own)
  place(join(packageDirectory, 'package.json'), join(own, 'package.json'))
  for (const part of ['dist', 'docs']) placeFolder(join(packageDirectory, part), join(own, part), place)
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
