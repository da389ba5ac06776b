import { type ErrorCode, ModelCacheError } from '../../model/errors.ts'
import { type Model, modelKey } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'

/** What the Hub answers for good, for each file of a repo the same. */
const DEFINITE: ErrorCode[] = ['MODEL_NOT_FOUND', 'REVISION_NOT_FOUND', 'GATED', 'ACCESS_DENIED']
// A loader asks for a model's files within seconds. A repo that is created meanwhile is found soon after.
const KNOWN_FOR_MS = 10_000

/**
 * What the Hub refused a moment ago. A loader asks for each file of a model by itself, and the Hub would say of each the same: it is
 * asked once.
 */
export class KnownRefusals {
  readonly #refusals = new Map<string, { error: ModelCacheError; at: number }>()

  of(model: Pick<Model, 'repo' | 'revision'>): ModelCacheError | undefined {
    const known = this.#refusals.get(modelKey(model))
    return known && originals.monotonic() - known.at < KNOWN_FOR_MS ? known.error : undefined
  }

  note(model: Pick<Model, 'repo' | 'revision'>, error: unknown): void {
    if (error instanceof ModelCacheError && DEFINITE.includes(error.code))
      this.#refusals.set(modelKey(model), { error, at: originals.monotonic() })
  }

  /** After an answer that is none. */
  forget(model: Pick<Model, 'repo' | 'revision'>): void {
    this.#refusals.delete(modelKey(model))
  }
}
