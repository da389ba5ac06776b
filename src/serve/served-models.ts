import type { CachedFile } from '../cache/get-file.ts'
import { getListing, type Listing } from '../cache/get-listing.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import type { EntryId } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { RepoId } from '../model/repo-id.ts'
import { Details } from './details.ts'
import { Shared } from './shared.ts'

// This package waits no longer than that.
const LONGEST_WAIT_S = 300
const SHORTEST_WAIT_S = 1

interface Revision {
  repo: RepoId
  revision: string
}

/** The models that clients may read, as the engine has them. */
export class ServedModels {
  readonly #listings = new Shared<Listing>()
  readonly #files = new Shared<CachedFile>()
  /** Bytes that were downloaded for clients. */
  downloadedBytes = 0

  readonly details: Details

  constructor(
    private readonly cache: ModelCache,
    /** True if clients may read models that are not public. */
    private readonly servesPrivate: boolean,
  ) {
    this.details = new Details(cache)
  }

  /**
   * The listing of a repo that clients may read. Throws as `getListing`; `MODEL_NOT_FOUND` for a repo that clients may not
   * read, and for one of which this cache has nothing.
   */
  async listing({ repo, revision }: Revision): Promise<Listing> {
    try {
      const listing = await this.#listings.get(`${repo}@${revision}`, () =>
        getListing(this.cache.context, { repo, revision }),
      )
      if (this.#mayRead(listing)) return listing
    } catch (error) {
      const isMiss = error instanceof ModelCacheError && error.code === 'OFFLINE'
      if (!isMiss || (await this.#isKnown(repo))) throw error
    }
    throw notHere(repo)
  }

  /** A file of a repo that clients may read. It is complete and verified. Throws as `ModelCache.file`. */
  async file({ repo, revision, path }: Revision & { path: string }): Promise<CachedFile & EntryId> {
    const file = await this.#files.get(`${repo}@${revision} ${path}`, async () => {
      const found = await this.cache.file({ repo, revision }, path)
      this.downloadedBytes += found.served.downloadedBytes
      return found
    })
    if (!this.#mayRead(file)) throw notHere(repo)
    const { served } = file
    return { ...file, repo: served.repo, snapshot: served.snapshot }
  }

  /** In how many seconds the downloads under way are probably complete. */
  secondsLeft(): number {
    const times = [...this.cache.context.underWay.values()].map(({ receivedBytes, totalBytes, elapsedMs }) =>
      receivedBytes === 0 ? 0 : ((totalBytes - receivedBytes) * elapsedMs) / receivedBytes / 1000,
    )
    return Math.ceil(Math.min(LONGEST_WAIT_S, Math.max(SHORTEST_WAIT_S, ...times)))
  }

  #mayRead({ access }: Pick<Listing, 'access'>): boolean {
    return this.servesPrivate || access === 'public'
  }

  /** True if the cache has another revision of the repo that clients may read. */
  async #isKnown(repo: RepoId): Promise<boolean> {
    const entries = await this.cache.list()
    return entries.some((entry) => entry.repo === repo && this.#mayRead(entry))
  }
}

function notHere(repo: RepoId): ModelCacheError {
  return new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: `Model ${repo}`,
    reason: 'It is not served.',
    nextStep: 'Download it where the server runs.',
  })
}
