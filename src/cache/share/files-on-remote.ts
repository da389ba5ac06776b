import { type Digest, isContent } from '../../model/digest.ts'
import { LARGEST_SMALL_FILE } from '../../model/remote-object.ts'
import { blobKey, bundleKey, type RemoteModel } from '../../remote/keys.ts'
import { LARGEST_BUNDLE, unpackBundle } from '../../remote/small-bundle.ts'
import { UnusableObject } from '../../remote/unusable.ts'
import { usableMap } from './chunk-maps.ts'
import type { StoreCalls } from './store-calls.ts'

interface Stated {
  digest: Digest
  /** Bytes. */
  size: number
}

/** Says which files of a model the remote has. Small files are looked up in the object that holds them all. */
export class FilesOnRemote {
  #bundle: Promise<ReadonlyMap<Digest, Uint8Array>> | undefined

  constructor(
    readonly calls: StoreCalls,
    readonly model: RemoteModel,
  ) {}

  /**
   * True if the remote has an object of this name and size, or what its chunk map names. The content is not checked. Throws `RemoteError`.
   */
  async has({ digest, size }: Stated): Promise<boolean> {
    if (size <= LARGEST_SMALL_FILE && (await this.#small()).has(digest)) return true
    const there = await this.calls.has(blobKey(digest))
    if (there !== undefined) return (there.size ?? size) === size
    return (await usableMap(this.calls, { digest, size })) !== undefined
  }

  /** The bytes of a small file, if the remote has them with the right digest. Throws `RemoteError`. */
  async read(file: Stated): Promise<Uint8Array | undefined> {
    if (file.size > LARGEST_BUNDLE) return undefined
    const small = (await this.#small()).get(file.digest)
    if (small) return small
    const bytes = await this.calls.read(blobKey(file.digest), file.size).catch(unlessUnusable)
    return bytes && isContent(bytes, file) ? bytes : undefined
  }

  #small(): Promise<ReadonlyMap<Digest, Uint8Array>> {
    this.#bundle ??= this.#readBundle()
    return this.#bundle
  }

  async #readBundle(): Promise<ReadonlyMap<Digest, Uint8Array>> {
    try {
      const bytes = await this.calls.read(bundleKey(this.model), LARGEST_BUNDLE)
      return bytes ? unpackBundle(bytes) : new Map()
    } catch (error) {
      return unlessUnusable(error) ?? new Map()
    }
  }
}

/** A damaged object counts as absent. */
function unlessUnusable(error: unknown): undefined {
  if (!(error instanceof UnusableObject)) throw error
}
