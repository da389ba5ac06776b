import type { Manifest } from '../cache/context/manifest.ts'
import type { Progress } from '../cache/context/progress.ts'
import { printableLines } from '../model/printable.ts'
import { explainWaiting, WAITED_FOR } from '../run/worker/explain-waiting.ts'

interface Failed {
  result?: { errors?: { message: string; stack?: string }[] }
}

/**
 * Adds to the error of a test or a hook that timed out which download it was waiting for. Vitest's own message does not help: "Test
 * timed out in 5000ms". Returns true if it added something.
 */
export function explainTimeout({ result }: Failed, downloads: Progress[], manifest: Manifest): boolean {
  const errors = downloads.length === 0 ? [] : (result?.errors ?? []).filter(isUnexplained)
  for (const error of errors) {
    const message = `${error.message}\n${printableLines(explainWaiting(downloads, manifest))}`
    error.stack = error.stack?.replace(error.message, () => message)
    error.message = message
  }
  return errors.length > 0
}

function isUnexplained({ message }: { message: string }): boolean {
  return /^(Test|Hook) timed out in /.test(message) && !message.includes(WAITED_FOR)
}
