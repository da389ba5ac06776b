import process from 'node:process'
import { isSystemError, ModelCacheError, messageOf, systemCode } from '../model/errors.ts'
import { interrupted, interruptedWith } from './interruption.ts'
import { printNotes } from './show/print.ts'
import { isVerbose } from './show/verbosity.ts'

/** The exit code where the call or the set-up was wrong, and nothing was changed. */
export const WRONG_CALL = 2
const WRONG_CALL_CODES: string[] = [
  'INVALID_MODEL',
  'INVALID_OPTION',
  'CACHE_FORMAT',
  'NOT_A_CACHE',
  'MODEL_NOT_FOUND',
  'UNSAFE_PATH',
  'LOCK_BROKEN',
  'REMOTE_UNUSABLE',
]

/** Runs a command and sets the exit code that it returns. The message of an error that it throws is printed. */
export async function perform(command: () => Promise<number>): Promise<void> {
  try {
    const code = await command()
    // The output may have failed meanwhile.
    process.exitCode = interruptedWith() ?? (code || process.exitCode)
  } catch (error) {
    printNotes(interrupted.aborted ? 'Interrupted. The work that was finished before is kept.' : reasonOf(error))
    if (isVerbose() && error instanceof Error && error.stack !== undefined) printNotes(error.stack)
    const isWrongCall = error instanceof ModelCacheError && WRONG_CALL_CODES.includes(error.code)
    process.exitCode = interruptedWith() ?? (isWrongCall ? WRONG_CALL : 1)
  }
}

/** An error of the system (a full disk, a read-only folder) does not say what to do. This text does. */
function reasonOf(error: unknown): string {
  if (!isSystemError(error)) return messageOf(error)
  const nextStep = 'Check the permissions and the disk of the folder, or name another one.'
  return `The command ended before it was done: ${messageOf(error)}. ${nextStep} [${systemCode(error)}]`
}
