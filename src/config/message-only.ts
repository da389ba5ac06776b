import { ModelCacheError } from '../model/errors.ts'

/**
 * Calls a function that checks what a user wrote. Vitest prints an error of the config with its stack and its fields: a stack of this
 * package says nothing to a user who misspelt an option, and the message holds all fields.
 */
export function withMessageOnly<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (error instanceof ModelCacheError) {
      error.stack = `${error.name}: ${error.message}`
      for (const field of Object.keys(error)) Object.defineProperty(error, field, { enumerable: false })
    }
    throw error
  }
}
