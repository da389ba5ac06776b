import { originals } from '../../platform/originals.ts'
import { blobKey } from '../../remote/keys.ts'
import type { StoreCalls } from './store-calls.ts'

// The sha256 of an empty file. It does not matter whether the store has it.
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Asks the store for one object. Returns how many milliseconds the answer took. Throws `RemoteError`. */
export async function probe(calls: StoreCalls): Promise<number> {
  const started = originals.monotonic()
  await calls.has(blobKey(`sha256:${EMPTY}`))
  return originals.monotonic() - started
}
