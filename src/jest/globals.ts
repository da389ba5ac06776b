import type { Models } from '../providers/models.ts'

declare global {
  /** Models of the Hugging Face Hub, from the cache. */
  var models: Models
}
