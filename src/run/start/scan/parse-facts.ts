import type { Facts } from './facts.ts'
import { parseSource } from './parse-source.ts'
import { readFacts } from './read-facts.ts'

/** What a source file says about models. Undefined for a text that is no code. */
export function parseFacts(text: string, path: string): Facts | undefined {
  try {
    return readFacts(parseSource(text, path))
  } catch {
    // The test runner reports the error.
    return undefined
  }
}
