import { readFileSync } from 'node:fs'
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
