import { mkdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import type { Layout } from './layout.ts'

/**
 * Makes a folder below the cache folder. A cache folder that was removed meanwhile is not made again: it would have no marker, and the next
 * run would refuse it. Throws `ENOENT` then.
 */
export function makeFolder({ directory }: Layout, folder: string): void {
  let path = directory
  for (const name of relative(directory, folder).split(sep)) {
    path = join(path, name)
    try {
      mkdirSync(path, { mode: 0o700 })
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}
