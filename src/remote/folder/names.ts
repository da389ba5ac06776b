import { randomBytes } from 'node:crypto'
import { RemoteError } from '../store.ts'

/** True for the key of an object of ours, which leads out of no folder. */
export function isKey(key: string): boolean {
  const isOurs = /^(blobs|models|refs)(\/[A-Za-z0-9._-]+)+$/.test(key)
  return isOurs && !key.split('/').some((segment) => /^\.{1,2}$/.test(segment) || isLeftover(segment))
}

/** The segments of a key. Throws for a key that is not ours. */
export function segmentsOf(key: string): string[] {
  if (isKey(key)) return key.split('/')
  throw new RemoteError('failed', `${JSON.stringify(key)} is not the key of an object`)
}

/** A name for a file that is being written. */
export function leftoverName(): string {
  return `.${randomBytes(12).toString('hex')}.tmp`
}

export function isLeftover(name: string): boolean {
  return /^\.[0-9a-f]{24}\.tmp$/.test(name)
}
