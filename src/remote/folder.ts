import { constants } from 'node:fs'
import { chmod, type FileHandle, lstat, mkdir, open, opendir, realpath, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemCode } from '../model/errors.ts'
import { unlessAbsent } from './folder/absent.ts'
import { explainFolderError } from './folder/explain.ts'
import { isKey, segmentsOf } from './folder/names.ts'
import { removeLeftovers, writeObject } from './folder/write.ts'
import { type CallOptions, type ObjectBody, RemoteError, type RemoteStore, type StoredObject } from './store.ts'

// Smaller pieces cost processor time, larger ones memory.
const READ_BYTES = 1 << 20

/** Opens a folder as a store: `file:///mnt/share`, for example on NFS or SMB. */
export function openFolderStore(url: URL): RemoteStore {
  return new FolderStore(url.href, fileURLToPath(url))
}

/** The store's own folder: its path without links, and its permissions. */
interface Root {
  path: string
  mode: number
}

/** A folder that machines share. It is only written below its own folder, and links in it are not followed. */
class FolderStore implements RemoteStore {
  readonly isNear = true
  #root: Promise<Root | undefined> | undefined

  constructor(
    readonly name: string,
    readonly folder: string,
  ) {}

  has(key: string, { signal }: CallOptions): Promise<{ size: number } | undefined> {
    return this.#call(signal, async () => {
      const file = await this.#fileOf(key)
      const stats = file === undefined ? undefined : await unlessAbsent(lstat(file))
      return stats?.isFile() ? { size: stats.size } : undefined
    })
  }

  get(key: string, { signal, start, end }: CallOptions & { start?: number; end?: number }) {
    return this.#call(signal, async () => {
      const file = await this.#fileOf(key)
      const handle = file === undefined ? undefined : await openRegular(file)
      return handle ? this.#read(handle, signal, start, end) : undefined
    })
  }

  put(key: string, body: ObjectBody, { signal, overwrite = false }: CallOptions & { overwrite?: boolean }) {
    return this.#call(signal, async () => {
      segmentsOf(key)
      const root = (await this.#found()) ?? (await this.#make())
      const folder = await this.#makeFolderOf(key, root)
      const file = join(folder, segmentsOf(key).at(-1) ?? '')
      if (!overwrite && (await unlessAbsent(lstat(file)))) return 'exists'
      await removeLeftovers(folder)
      return writeObject(file, body, { signal, overwrite, mode: 0o444 & root.mode })
    })
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<StoredObject> {
    const root = await this.#call(signal, () => this.#found())
    if (root) yield* this.#walk(root.path, '', prefix, signal)
  }

  remove(key: string, { signal }: CallOptions): Promise<void> {
    return this.#call(signal, async () => {
      const file = await this.#fileOf(key)
      if (file !== undefined) await unlessAbsent(unlink(file))
    })
  }

  async *#walk(folder: string, key: string, prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    const entries = await this.#call(signal, () => unlessAbsent(opendir(folder)))
    for await (const entry of entries ?? []) {
      signal.throwIfAborted()
      const [path, own] = [join(folder, entry.name), key === '' ? entry.name : `${key}/${entry.name}`]
      const isWanted = own.startsWith(prefix) || prefix.startsWith(`${own}/`)
      if (!isWanted || !isKey(`${own}/file`)) continue
      if (entry.isDirectory()) yield* this.#walk(path, own, prefix, signal)
      const stats = entry.isFile() ? await this.#call(signal, () => unlessAbsent(lstat(path))) : undefined
      if (stats && isKey(own)) yield { key: own, size: stats.size, modifiedMs: stats.mtimeMs }
    }
  }

  async *#read(handle: FileHandle, signal: AbortSignal, start = 0, end?: number): AsyncGenerator<Uint8Array> {
    try {
      if (end !== undefined && end <= start) return
      const range = { start, end: end === undefined ? undefined : end - 1 }
      // A stream with a signal that was aborted emits its error before anybody can listen, and that would end the process.
      signal.throwIfAborted()
      yield* handle.createReadStream({ ...range, highWaterMark: READ_BYTES, autoClose: false, signal })
    } catch (error) {
      throw this.#explained(signal, error)
    } finally {
      await handle.close()
    }
  }

  /** The path of an object. Undefined if there is none, or if a folder of its path is a link. */
  async #fileOf(key: string): Promise<string | undefined> {
    const segments = segmentsOf(key)
    const found = await this.#found()
    if (!found) return undefined
    const folder = join(found.path, ...segments.slice(0, -1))
    const real = await unlessAbsent(realpath(folder))
    return real === folder ? join(folder, segments.at(-1) ?? '') : undefined
  }

  /** Makes the folder of an object, and returns its path. Who may use the store's own folder may use it, too. */
  async #makeFolderOf(key: string, { path, mode }: Root): Promise<string> {
    let folder = path
    for (const segment of segmentsOf(key).slice(0, -1)) {
      folder = join(folder, segment)
      await makeFolder(folder, mode)
    }
    if ((await realpath(folder)) === folder) return folder
    throw new RemoteError('misused', `${this.name} has a link in place of a folder: ${folder}`)
  }

  /**
   * The store's own folder. Undefined if nothing was written yet. All calls wait for one look at it: a dead network disk then blocks one
   * thread of Node.js, and not all.
   */
  #found(): Promise<Root | undefined> {
    this.#root ??= this.#look()
    const forget = () => {
      this.#root = undefined
    }
    this.#root.then((root) => root ?? forget(), forget)
    return this.#root
  }

  async #look(): Promise<Root | undefined> {
    const stats = await unlessAbsent(stat(this.folder))
    if (stats?.isDirectory()) return { path: await realpath(this.folder), mode: stats.mode & 0o7777 }
    if (stats) throw new RemoteError('misused', `${this.name} is not a folder`)
    const above = dirname(this.folder)
    if (await unlessAbsent(stat(above))) return undefined
    throw new RemoteError('unreachable', `There is no folder ${above}. Perhaps the share is not mounted`)
  }

  async #make(): Promise<Root> {
    const { mode } = await stat(dirname(this.folder))
    await makeFolder(this.folder, mode & 0o7777)
    this.#root = undefined
    const root = await this.#found()
    if (root) return root
    throw new RemoteError('failed', `${this.name} could not be made`)
  }

  async #call<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      throw this.#explained(signal, error)
    }
  }

  #explained(signal: AbortSignal, error: unknown): unknown {
    return signal.aborted ? signal.reason : explainFolderError(this.name, error)
  }
}

/** Opens a file that is no link. Without O_NONBLOCK, opening a pipe would wait for a writer. */
async function openRegular(file: string): Promise<FileHandle | undefined> {
  const handle = await unlessAbsent(open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK))
  if (!handle || (await handle.stat()).isFile()) return handle
  await handle.close()
  return undefined
}

async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder)
    // Some file servers have no permissions. `mkdir` itself would apply the umask.
    await chmod(folder, mode).catch(() => undefined)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}
