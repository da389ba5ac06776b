import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { threadId } from 'node:worker_threads'
import type { Run } from '../cache/store/leases.ts'
import { isGone } from '../cache/store/owner.ts'
import { messageOf } from '../model/errors.ts'
import { printable } from '../model/printable.ts'
import { ownMs } from '../platform/own-time.ts'
import { FoldedRequests } from './folded-requests.ts'

/** What a line of the events file holds. */
export type ChildEvent = { testFile: string } & ReturnType<FoldedRequests['drain']>

/**
 * What a process that a test started asked for, where the main process finds it. Written with each request: a server that its
 * test kills, or a thread that is terminated, gets to do nothing at its end.
 */
export class EventsFile {
  readonly #path: string
  #requests = new FoldedRequests()
  #isWritten = false
  #isRefused = false

  /** `start` is how its path begins: what follows tells processes and threads apart. */
  constructor(
    start: string,
    readonly testFile: string,
    readonly run: Run,
  ) {
    this.#path = `${start}-${process.pid}-${threadId}.jsonl`
  }

  note(add: (requests: FoldedRequests) => void): void {
    // In watch mode a run of tests may be over, and what was asked for until then is counted.
    if (this.#isWritten && !existsSync(this.#path)) this.#requests = new FoldedRequests()
    add(this.#requests)
    this.#write()
  }

  #write(): void {
    // Of a run that is over nothing may be left behind.
    if (this.#isRefused || isGone(this.run.pid)) return
    const event: ChildEvent = { testFile: this.testFile, ...this.#requests.collected, ownMs: ownMs() }
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      // Whole at any time: it may be read, or this process killed, while it is written.
      writeFileSync(`${this.#path}.new`, `${JSON.stringify(event)}\n`, { mode: 0o600 })
      renameSync(`${this.#path}.new`, this.#path)
      this.#isWritten = true
    } catch (error) {
      this.#isRefused = true
      process.stderr.write(
        `[model-cache] Requests of a child process are not counted: ${printable(messageOf(error))}\n`,
      )
    }
  }
}
