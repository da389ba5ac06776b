import { posix } from 'node:path'
import type { Requests } from './requests.ts'

/** The folders of a WebDAV server that does not make them by itself. */
export class Folders {
  /** The folders that exist. Empty until the server first refused an object because it has no folder for it. */
  readonly #known = new Set<string>()

  constructor(readonly requests: Requests) {}

  /** Makes the folder of an object, if the server is known not to do it by itself. */
  async prepare(key: string, signal: AbortSignal): Promise<void> {
    if (this.#known.size > 0) await this.make(key, signal)
  }

  /** Makes the folder of an object. False if the server does not make folders. */
  async make(key: string, signal: AbortSignal): Promise<boolean> {
    return this.#makeFolder(posix.dirname(key), signal)
  }

  async #makeFolder(folder: string, signal: AbortSignal): Promise<boolean> {
    if (this.#known.has(folder)) return true
    const path = folder === '.' ? '' : `${folder}/`
    const ask = async () => (await this.requests.send({ method: 'MKCOL', path, signal })).answer.status
    let status = await ask()
    const lacksParent = status === 409 || status === 404
    if (lacksParent && folder !== '.' && (await this.#makeFolder(posix.dirname(folder), signal))) status = await ask()
    // 405: it exists, or the server knows no folders.
    const exists = status === 201 || status === 405
    if (exists) this.#known.add(folder)
    return exists
  }
}
