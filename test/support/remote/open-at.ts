import { openStore } from '../../../src/remote/open-store.ts'
import type { RemoteStore } from '../../../src/remote/store.ts'

/** Opens the store of an address, as a cache does. */
export function openAt(url: URL, env: Record<string, string> = {}): Promise<RemoteStore> {
  return openStore({ url: url.href, timeoutMs: 60_000, uploadPrivate: false }, env)
}
