import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { ModelCacheError } from '../../model/errors.ts'
import { printable } from '../../model/printable.ts'
import { interrupted } from '../interruption.ts'
import { printNotes } from './print.ts'

export interface Confirmation {
  yes?: boolean
  dryRun?: boolean
}

/**
 * True when it may be done: with `--yes`, with nothing to be done (`--dry-run`), or when the user at the terminal says so. A refusal
 * is printed. Throws `INVALID_OPTION` where there is no terminal.
 */
export async function confirm(question: string, { yes, dryRun }: Confirmation): Promise<boolean> {
  if (yes || dryRun) return true
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new ModelCacheError({
      code: 'INVALID_OPTION',
      asked: question,
      reason: 'There is no terminal to ask at.',
      nextStep: 'Add `--yes` to do it, or `--dry-run` to see what would be done. Nothing was changed.',
    })
  // With `terminal: true`, readline would take Ctrl-C itself, and the command's own handler would not run.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  const ended = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)))
  try {
    const answer = await Promise.race([lines.question(`${printable(question)} [y/N] `, { signal: interrupted }), ended])
    if (/^y(es)?$/i.test(answer?.trim() ?? '')) return true
    // After an end of the input (Ctrl-D) the cursor still stands behind the question.
    printNotes(`${answer === undefined ? '\n' : ''}Not confirmed: nothing was changed.`)
    return false
  } finally {
    lines.close()
  }
}
