import type { Environment } from '../config/environment-variables.ts'
import { Folders } from './http/folders.ts'
import { listObjects } from './http/list-objects.ts'
import { putObject } from './http/put-object.ts'
import { findObject, openPart } from './http/read-object.ts'
import { Requests } from './http/requests.ts'
import { failureOf, isAbsent } from './http/statuses.ts'
import { type CallOptions, type ObjectBody, RemoteError, type RemoteStore, type StoredObject } from './store.ts'

/**
 * Opens a store on a web server that takes PUT: `https://host/path`, such as nginx with DAV, Artifactory or a raw repository of Nexus. The
 * environment has the credentials. Throws `RemoteError` for a wrong address, and for credentials that must not be sent.
 */
export function openHttpStore(url: URL, env: Environment): RemoteStore {
  const { origin, pathname } = url
  const wrong = (reason: string) => new RemoteError('misused', `${origin}${pathname}: ${reason}`)
  if (url.username || url.password)
    throw wrong('the address holds credentials. Remove them, and set MODEL_CACHE_REMOTE_TOKEN')
  if (url.search || url.hash) throw wrong('the address of a store has no query and no fragment')
  return new HttpStore(new Requests(url, env))
}

class HttpStore implements RemoteStore {
  /** True after the server ignored a `Range`. Each part then costs all bytes before it. */
  lacksRanges = false
  readonly #folders: Folders

  constructor(readonly requests: Requests) {
    this.#folders = new Folders(requests)
  }

  get name(): string {
    return this.requests.name
  }

  has(key: string, { signal }: CallOptions): Promise<{ size?: number } | undefined> {
    return findObject(this.requests, key, signal)
  }

  async get(
    key: string,
    options: CallOptions & { start?: number; end?: number },
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const part = await openPart(this.requests, key, options)
    this.lacksRanges ||= part?.isWhole === true
    return part?.bytes
  }

  put(key: string, body: ObjectBody, options: CallOptions & { overwrite?: boolean }): Promise<'written' | 'exists'> {
    return putObject(this.requests, this.#folders, key, body, options)
  }

  list(prefix: string, { signal }: CallOptions): AsyncIterable<StoredObject> {
    return listObjects(this.requests, prefix, signal)
  }

  async remove(key: string, { signal }: CallOptions): Promise<void> {
    const { answer } = await this.requests.send({ method: 'DELETE', path: key, signal })
    if (!answer.ok && !isAbsent(answer)) throw failureOf(this.requests.name, 'DELETE', answer)
  }
}
