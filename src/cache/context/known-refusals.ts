import { type ErrorCode, ModelCacheError } from '../../model/errors.ts'
import { type Model, modelKey } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'

/** Errors of the Hub that a retry does not change, and that are the same for each file of a repo. */
const DEFINITE: ErrorCode[] = ['MODEL_NOT_FOUND', 'REVISION_NOT_FOUND', 'GATED', 'ACCESS_DENIED']
// Loaders ask for all files of a model within seconds. A repo that is created meanwhile is found after this time.
const KNOWN_FOR_MS = 10_000

/**
 * The refusals of the last ten seconds. A loader asks for each file of a model in a request of its own, and the Hub would refuse each
 * of them. With this, the Hub is asked only once.
 */
export class KnownRefusals {
  readonly #refusals = new Map<string, { error: ModelCacheError; at: number }>()

  /** The error with which the Hub refused a revision, or undefined. */
  of(model: Pick<Model, 'repo' | 'revision'>): ModelCacheError | undefined {
    const known = this.#refusals.get(modelKey(model))
    return known && originals.monotonic() - known.at < KNOWN_FOR_MS ? known.error : undefined
  }

  /** Keeps `error` if it is a refusal. */
  note(model: Pick<Model, 'repo' | 'revision'>, error: unknown): void {
    if (error instanceof ModelCacheError && DEFINITE.includes(error.code))
      this.#refusals.set(modelKey(model), { error, at: originals.monotonic() })
  }

  /** Called after an answer that is no refusal. */
  forget(model: Pick<Model, 'repo' | 'revision'>): void {
    this.#refusals.delete(modelKey(model))
  }
}
