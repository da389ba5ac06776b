import { systemCode } from '../../model/errors.ts'

/** Undefined if there is nothing at the path, or if a link is in its place. */
export async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}
