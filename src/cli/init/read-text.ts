import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAbsent } from '../../cache/store/atomic-write.ts'

/** The text of a file; undefined where there is none. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** True if Node.js reads `.js` files of a folder as ES modules. */
export function isModulePackage(folder: string): boolean {
  return /"type"\s*:\s*"module"/.test(readText(join(folder, 'package.json')) ?? '')
}
