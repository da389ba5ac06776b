import type { Environment } from '../config/environment-variables.ts'
import type { RemoteSettings } from '../config/remote-settings.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { RemoteStore } from './store.ts'

/** By the scheme of an address. Each kind of store is loaded only when it is used. */
const STORES: Record<string, (url: URL, env: Environment) => Promise<RemoteStore>> = {
  'file:': async (url) => (await import('./folder.ts')).openFolderStore(url),
  's3:': async (url, env) => (await import('./s3.ts')).openS3Store(url, env),
  'http:': openHttp,
  'https:': openHttp,
}

/** Opens the store of a remote. Throws `INVALID_OPTION` or `RemoteError`. */
export async function openStore({ url, store }: RemoteSettings, env: Environment): Promise<RemoteStore> {
  if (store) return (await import('./user-store.ts')).userStore(store)
  const address = new URL(url ?? '')
  const open = STORES[address.protocol]
  if (open) return open(address, env)
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `A remote of the kind ${address.protocol}//`,
    reason: 'There is none.',
    nextStep: 'Use an address such as "s3://bucket/prefix", "https://host/path" or "file:///mnt/share".',
  })
}

async function openHttp(url: URL, env: Environment): Promise<RemoteStore> {
  return (await import('./http.ts')).openHttpStore(url, env)
}
