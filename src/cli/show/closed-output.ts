import process from 'node:process'
import { messageOf, systemCode } from '../../model/errors.ts'
import { printNotes } from './print.ts'

/**
 * The reader of a command's output may stop early, as `head -1` does. The command then finishes its work, prints nothing more and
 * keeps its exit code. Any other failure of the output, such as a full disk, makes the exit code 1.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes(systemCode(error) ?? '')) return
      process.exitCode = 1
      if (stream === process.stdout) printNotes(`The output could not be written: ${messageOf(error)}`)
    })
}
