import process from 'node:process'
import { messageOf, systemCode } from '../../model/errors.ts'
import { printNotes } from './print.ts'

/**
 * The reader of our output may go early, as `head -1` does. A command then does its work to the end and prints nothing more: its exit
 * code stays its own. Any other failure of the output, such as a full disk behind `>`, ends the process with 1.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes(systemCode(error) ?? '')) return
      process.exitCode = 1
      if (stream === process.stdout) printNotes(`The output could not be written: ${messageOf(error)}`)
    })
}
