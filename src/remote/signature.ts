import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Environment } from '../config/environment-variables.ts'
import { ModelCacheError } from '../model/errors.ts'

const VARIABLE = 'MODEL_CACHE_REMOTE_KEY'
// As many characters as 128 random bits take in hexadecimal digits. A shorter key can be guessed from a signature.
const SHORTEST_KEY = 32

/** What is signed. A signature of one kind is never valid for another one. */
type Kind = 'listing' | 'ref'

/** The key that the machines of a team share. It signs by HMAC-SHA256. */
export class SigningKey {
  /** Names the key without revealing it: 16 hexadecimal digits. */
  readonly id: string
  readonly #key: Buffer

  constructor(key: string) {
    this.#key = Buffer.from(key)
    this.id = this.#code('key id', '').toString('hex').slice(0, 16)
  }

  /** The signature: 64 hexadecimal digits. */
  sign(kind: Kind, content: string | Uint8Array): string {
    return this.#code(kind, content).toString('hex')
  }

  isSigned(kind: Kind, content: string | Uint8Array, signature: string): boolean {
    if (!/^[0-9a-f]{64}$/.test(signature)) return false
    return timingSafeEqual(this.#code(kind, content), Buffer.from(signature, 'hex'))
  }

  #code(kind: Kind | 'key id', content: string | Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(`vitest-model-cache ${kind} 1\n`).update(content).digest()
  }
}

/** The signature of a listing as an object. */
export function printSignature(key: SigningKey, listing: Uint8Array): Uint8Array {
  return Buffer.from(`${key.sign('listing', listing)}\n`)
}

/** Bytes of a signature as an object. */
export const LARGEST_SIGNATURE = 100

/** True if an object is the signature of a listing. */
export function isSignedListing(key: SigningKey, listing: Uint8Array, signature: Uint8Array): boolean {
  return key.isSigned('listing', listing, Buffer.from(signature).toString('latin1').trimEnd())
}

/** The key of this environment. Undefined if none is set. Throws `INVALID_OPTION` for a key that is too short. */
export function readSigningKey(env: Environment): SigningKey | undefined {
  // Secrets are often stored with a line break at their end.
  const key = env[VARIABLE]?.trim()
  if (key === undefined || key === '') return undefined
  if (key.length >= SHORTEST_KEY) return new SigningKey(key)
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Environment variable ${VARIABLE}`,
    reason: `The key has ${key.length} characters. A key that short can be guessed from a signature.`,
    nextStep: `Set it to at least ${SHORTEST_KEY} random characters, such as the output of \`openssl rand -hex 32\`.`,
  })
}
