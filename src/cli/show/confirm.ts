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
 * True if the user agrees at the terminal, and always with `--yes` and `--dry-run`. A refusal is printed. Throws `INVALID_OPTION` if
 * there is no terminal.
 */
export async function confirm(question: string, { yes, dryRun }: Confirmation): Promise<boolean> {
  if (yes || dryRun) return true
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new ModelCacheError({
      code: 'INVALID_OPTION',
      asked: `Question ${JSON.stringify(question)}`,
      reason: 'There is no terminal for the question.',
      nextStep: 'Add `--yes` to do it, or `--dry-run` to see what would be done. Nothing was changed.',
    })
  // With `terminal: true`, readline would take Ctrl-C itself, and the command's own handler would not run.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  const ended = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)))
  try {
    const answer = await Promise.race([lines.question(`${printable(question)} [y/N] `, { signal: interrupted }), ended])
    if (/^y(es)?$/i.test(answer?.trim() ?? '')) return true
    // After Ctrl-D the cursor is still in the line of the question.
    printNotes(`${answer === undefined ? '\n' : ''}Not confirmed: nothing was changed.`)
    return false
  } finally {
    lines.close()
  }
}
