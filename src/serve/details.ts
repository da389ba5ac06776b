import type { Listing } from '../cache/get-listing.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { isObject } from '../model/json.ts'
import { originals } from '../platform/originals.ts'
import { Shared } from './shared.ts'

// Clients can do without it.
const WITHIN_MS = 3_000
const AGAIN_AFTER_MS = 60_000

/** What the Hub says of models in addition to what the engine keeps: library, tags, dates. */
export class Details {
  readonly #asked = new Shared<Record<string, unknown>>()
  /** When the Hub gave no answer about a model, by the monotonic clock. */
  readonly #failed = new Map<string, number>()

  constructor(private readonly cache: ModelCache) {}

  /** The fields of the Hub's own answer about a public model at a commit. Empty if it is not stored and the Hub gives none soon. */
  async of({ repo, commit, access }: Listing): Promise<Record<string, unknown>> {
    const key = `${repo}@${commit}`
    const failed = this.#failed.get(key)
    const isTooEarly = failed !== undefined && originals.monotonic() - failed < AGAIN_AFTER_MS
    if (access !== 'public' || isTooEarly) return {}
    return this.#asked.get(key, async () => {
      const stated = await this.#ask({ repo, commit }).catch(() => undefined)
      if (stated) this.#failed.delete(key)
      else this.#failed.set(key, originals.monotonic())
      return stated ?? {}
    })
  }

  async #ask({ repo, commit }: Pick<Listing, 'repo' | 'commit'>): Promise<Record<string, unknown> | undefined> {
    const address = `/api/models/${repo}/revision/${commit}`
    const signal = AbortSignal.timeout(WITHIN_MS)
    const answer = await this.cache.apiAnswer({ repo, revision: commit }, { address, method: 'GET', signal })
    if (answer === undefined || !('body' in answer)) return undefined
    const stated: unknown = JSON.parse(answer.body)
    return isObject(stated) && stated.sha === commit ? stated : undefined
  }
}
