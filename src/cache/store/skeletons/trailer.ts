import { type Digest, isDigest } from '../../../model/digest.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import { ENTRY, MODEL } from './onnx.ts'
import { bytesField, bytesHead } from './protobuf.ts'

/** What a skeleton was made of. */
export interface MadeOf {
  digest: Digest
  /** Bytes. */
  size: number
}

const KEY = 'vitest-model-cache'
/** The version of skeletons. One of another version is made anew. */
const VERSION = '1'
const LONGEST_DIGEST = 'sha256:'.length + 64
const SIZE_DIGITS = 16
const HASH_DIGITS = 64
const CLAIM_LENGTH = [VERSION.length, LONGEST_DIGEST, SIZE_DIGITS].reduce((sum, length) => sum + length + 1, 0)

/**
 * The last bytes of a skeleton, always of the same length: an entry of the model's metadata with the version, with the blob that the
 * skeleton points into, and with a hash of all bytes before it. A skeleton that was cut off or changed is recognized by it.
 */
export function trailerFor(skeleton: Uint8Array, { digest, size }: MadeOf): Uint8Array {
  const claim = `${VERSION} ${digest.padEnd(LONGEST_DIGEST)} ${String(size).padStart(SIZE_DIGITS, '0')} `
  return entryField(`${claim}${hashOf(skeleton, claim)}`)
}

/** What the bytes of a skeleton were made of. Undefined when they are not a whole and unchanged skeleton of this version. */
export function madeOf(bytes: Uint8Array): MadeOf | undefined {
  const start = bytes.byteLength - TRAILER_LENGTH
  if (start < 0) return undefined
  const trailer = Buffer.from(bytes.buffer, bytes.byteOffset + start, TRAILER_LENGTH)
  const value = trailer.toString('latin1', TRAILER_LENGTH - CLAIM_LENGTH - HASH_DIGITS)
  const claim = value.slice(0, CLAIM_LENGTH)
  const [version, digest = '', size] = claim.trim().split(/ +/)
  if (version !== VERSION || !isDigest(digest) || !trailer.equals(entryField(value))) return undefined
  return value.endsWith(hashOf(bytes.subarray(0, start), claim)) ? { digest, size: Number(size) } : undefined
}

function entryField(value: string): Buffer {
  const entry = Buffer.concat([bytesField(ENTRY.key, KEY), bytesField(ENTRY.value, value)])
  return Buffer.concat([bytesHead(MODEL.metadata, entry.length), entry])
}

function hashOf(skeleton: Uint8Array, claim: string): string {
  return createHash('sha256').update(skeleton).update(claim).digest('hex')
}

export const TRAILER_LENGTH = entryField(' '.repeat(CLAIM_LENGTH + HASH_DIGITS)).length
