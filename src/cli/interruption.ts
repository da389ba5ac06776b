import { constants } from 'node:os'
import process from 'node:process'

export type Interrupt = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const INTERRUPTS: Interrupt[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

const controller = new AbortController()
let taker: ((name: Interrupt) => void) | undefined
let taken: Interrupt | undefined

/** Aborts when the user interrupts the command. The work then ends in a sound state and releases its locks. */
export const interrupted: AbortSignal = controller.signal

/** From now on the first interrupt aborts the work, and the second one ends the process at once. */
export function listenForInterrupts(): void {
  for (const name of INTERRUPTS)
    process.on(name, () => {
      if (taker) return taker(name)
      if (taken) process.exit(exitCodeOf(name))
      taken = name
      controller.abort()
    })
}

/** Hands interrupts to another function. Used while another program runs for this command. */
export function handInterruptsTo(other: (name: Interrupt) => void): void {
  taker = other
}

/** The exit code of an interrupted command, as in a shell: 128 and the signal's number. Undefined if nothing interrupted it. */
export function interruptedWith(): number | undefined {
  return taken && exitCodeOf(taken)
}

export function exitCodeOf(name: NodeJS.Signals): number {
  return 128 + constants.signals[name]
}
