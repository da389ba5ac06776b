import type { HubPath } from '../../model/hub-path.ts'
import { SMALLEST_MAPPED_FILE } from '../../model/remote-object.ts'
import type { ChunkMap, Stated } from '../../remote/chunk-map.ts'
import { type RemoteModel, repoPrefix } from '../../remote/keys.ts'
import { LARGEST_LISTING, type Listing, parseListing } from '../../remote/listing.ts'
import { parseKey } from '../../remote/parse-key.ts'
import { RemoteError } from '../../remote/store.ts'
import { UnusableObject } from '../../remote/unusable.ts'
import type { CacheContext } from '../context/context.ts'
import { contentsOfPath } from '../lookup/contents-of-path.ts'
import { mapOfObject, usableMap } from './chunk-maps.ts'
import type { StoreCalls } from './store-calls.ts'
import type { LocalFile } from './verified-body.ts'

const MOST_LISTINGS = 3

/** What the store has of a model's files at other commits. What it says there is a hint: whoever takes a file checks its digest. */
export class OtherContents {
  #listings: Promise<Listing[]> | undefined

  constructor(
    readonly context: CacheContext,
    readonly calls: StoreCalls,
    readonly model: RemoteModel,
  ) {}

  /** The chunk maps of a file at other commits: of those that this cache knows, else of the latest that the store lists. */
  async mapsOf({ name, digest, size }: LocalFile): Promise<ChunkMap[]> {
    const { context, model } = this
    const known = await contentsOfPath(context, { repo: model.repo, path: name, digest })
    return this.#first(
      () => this.#maps(known),
      async () => this.#maps(await this.#listed(name, digest)),
      // In a folder, a first revision has no map.
      () => this.#made(known, size),
      async () => this.#made(await this.#listed(name, digest), size),
    )
  }

  async #first(...ways: (() => Promise<ChunkMap[]>)[]): Promise<ChunkMap[]> {
    for (const way of ways) {
      const maps = await way()
      if (maps.length > 0) return maps
    }
    return []
  }

  async #maps(contents: Stated[]): Promise<ChunkMap[]> {
    const maps = await Promise.all(contents.map((content) => usableMap(this.calls, content)))
    return maps.filter((map) => map !== undefined)
  }

  /** The map of the latest content that the store has whole. Reading what is much larger takes longer than sending the file. */
  async #made(contents: Stated[], ownSize: number): Promise<ChunkMap[]> {
    if (!this.calls.store.isNear) return []
    for (const content of contents.filter(({ size }) => size >= SMALLEST_MAPPED_FILE && size <= 2 * ownSize)) {
      const map = await mapOfObject(this.calls, content)
      if (map) return [map]
    }
    return []
  }

  async #listed(name: HubPath, digest: string): Promise<Stated[]> {
    this.#listings ??= this.#readListings()
    const files = (await this.#listings).flatMap(({ files }) => files.get(name) ?? [])
    return [...new Map(files.map((file) => [file.digest, file])).values()].filter((file) => file.digest !== digest)
  }

  /** The latest lists of files of the repo. None if the store can't list its objects. */
  async #readListings(): Promise<Listing[]> {
    try {
      const objects = await this.calls.list(repoPrefix(this.model))
      const listings = objects.filter(({ key }) => parseKey(key)?.kind === 'listing')
      const latest = listings.sort((a, b) => b.modifiedMs - a.modifiedMs).slice(0, MOST_LISTINGS)
      return (await Promise.all(latest.map(({ key }) => this.#read(key)))).filter((listing) => listing !== undefined)
    } catch (error) {
      if (error instanceof RemoteError) return []
      throw error
    }
  }

  async #read(key: string): Promise<Listing | undefined> {
    try {
      const bytes = await this.calls.read(key, LARGEST_LISTING)
      return bytes && parseListing(bytes)
    } catch (error) {
      if (error instanceof UnusableObject) return undefined
      throw error
    }
  }
}
