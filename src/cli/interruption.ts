import { constants } from 'node:os'
import process from 'node:process'

export type Interrupt = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const INTERRUPTS: Interrupt[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

const controller = new AbortController()
let taker: ((name: Interrupt) => void) | undefined
let taken: Interrupt | undefined

/** Aborts when the user interrupts: what is under way ends where it can be left, and locks are freed. */
export const interrupted: AbortSignal = controller.signal

/** From now on an interrupt ends the work in order, and a second one at once. */
export function listenForInterrupts(): void {
  for (const name of INTERRUPTS)
    process.on(name, () => {
      if (taker) return taker(name)
      if (taken) process.exit(exitCodeOf(name))
      taken = name
      controller.abort()
    })
}

/** Has interrupts handed to somebody else: a program that runs in our place. */
export function handInterruptsTo(other: (name: Interrupt) => void): void {
  taker = other
}

/** The exit code of what was interrupted, as shells have it; undefined when nothing was. */
export function interruptedWith(): number | undefined {
  return taken && exitCodeOf(taken)
}

export function exitCodeOf(name: NodeJS.Signals): number {
  return 128 + constants.signals[name]
}
