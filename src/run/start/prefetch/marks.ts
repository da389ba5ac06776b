import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeUnique } from '../../../cache/store/remove-own.ts'
import { randomBytes } from '../../../platform/late-crypto.ts'

/**
 * Marks of the models that are on their way: empty files in the folder for events. Workers wait until a mark is gone, because a file can
 * be removed also when the disk is full. Models are named by `selectedKey`.
 */
export class Marks {
  readonly #id = randomBytes(6).toString('hex')
  readonly #names = new Map<string, string>()

  constructor(readonly folder: string) {}

  /** Sets the mark of a model. Returns its file name, or nothing if it can't be written: then nobody waits. */
  set(key: string): string[] {
    const name = this.#names.get(key) ?? `${this.#id}-${this.#names.size}.pending`
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 })
      writeFileSync(join(this.folder, name), '', { mode: 0o600 })
      this.#names.set(key, name)
      return [name]
    } catch {
      return []
    }
  }

  remove(key: string): void {
    const name = this.#names.get(key)
    if (name === undefined) return
    try {
      removeUnique(join(this.folder, name))
    } catch {
      // The folder became read-only. Workers wait as long as a request for the model would.
    }
  }

  removeAll(): void {
    for (const key of this.#names.keys()) this.remove(key)
  }
}
