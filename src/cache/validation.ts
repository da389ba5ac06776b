import { statSync } from 'node:fs'
import process from 'node:process'
import type { Validation } from '../config/options.ts'
import { systemCode } from '../model/errors.ts'
import type { CacheContext } from './context.ts'

/**
 * How cached files are checked: as the options say, but by digest in a folder into which others can write: what they
 * may have changed together with its time is not believed.
 */
export async function findValidation(context: CacheContext): Promise<Validation> {
  const { validate = 'stat' } = context.options
  const stranger = validate === 'stat' ? whoElseWrites(context.layout.directory) : undefined
  if (stranger === undefined) return validate
  context.warn(
    `The cache folder ${context.layout.directory} ${stranger}: each file is verified by its digest before it is used. Make it yours alone (chown, chmod 700), or set MODEL_CACHE_DIR.`,
  )
  return 'digest'
}

/** Undefined for a folder of one's own, of root, or on a system without such owners. */
function whoElseWrites(folder: string): string | undefined {
  const user = process.geteuid?.()
  if (user === undefined) return undefined
  try {
    const { uid, mode } = statSync(folder)
    if (uid !== user && uid !== 0) return `belongs to another user (uid ${uid})`
    return mode & 0o002 ? 'can be written by every user' : undefined
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
