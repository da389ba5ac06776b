import type { Manifest } from '../../cache/context/manifest.ts'
import type { Progress } from '../../cache/context/progress.ts'
import { printableLines } from '../../model/printable.ts'
import { explainWaiting } from '../../run/worker/explain-waiting.ts'
import type { DescribeBlock, ErrorEntry, TestEvent, TestState } from '../types.ts'

const ofConfig = (models: string) => `modelCache: { models: ${models} }`

/**
 * Adds to the error of a test or a hook that timed out which download it was waiting for. Jest's own message does not help: "Exceeded
 * timeout of 5000 ms for a test". Returns true if it added something.
 */
export function explainTimeout(
  { error, test, describeBlock }: TestEvent,
  { unhandledErrors }: TestState,
  downloads: Progress[],
  manifest: Manifest,
): boolean {
  if (downloads.length === 0 || typeof error !== 'string' || !error.startsWith('Exceeded timeout of ')) return false
  const explained = `${error}\n${printableLines(explainWaiting(downloads, manifest, ofConfig))}`
  // The error of a hook is an error of each of its tests.
  for (const errors of [unhandledErrors, test?.errors ?? [], ...(describeBlock ? errorsIn(describeBlock) : [])])
    for (const [index, entry] of errors.entries()) errors[index] = replaced(entry, error, explained)
  return true
}

function errorsIn({ children }: DescribeBlock): ErrorEntry[][] {
  return children.flatMap((child) => (child.type === 'test' ? [child.errors] : errorsIn(child)))
}

function replaced(entry: ErrorEntry, error: string, explained: string): ErrorEntry {
  if (entry === error) return explained
  return Array.isArray(entry) && entry[0] === error ? [explained, ...entry.slice(1)] : entry
}
