import type { Worker } from 'node:worker_threads'
import type { Done, Task } from './coder-thread.mjs'
import { startThread } from './start-thread.ts'

/** A thread could not be started, or it ended. What it had to do was not done. */
export class ThreadFailed extends Error {
  override readonly name = 'ThreadFailed'
}

interface Waiting {
  resolve: (done: Done) => void
  reject: (error: ThreadFailed) => void
}

/** A thread does its tasks in their order. */
interface Thread {
  worker: Worker
  waiting: Waiting[]
}

/**
 * Threads that start when there is work for them. A pool of a library copies the memory of each restored piece, and measures its memory
 * after each task. Both take as long as decoding. Chunks to encode are copied, with the megabyte of the file that they are in: handing
 * over memory of their own took as long.
 */
export class CoderThreads {
  readonly #most: number
  readonly #threads: Thread[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** Memory in `transfer` belongs to the thread then. Rejects with `ThreadFailed`. */
  run(task: Task, transfer: ArrayBuffer[]): Promise<Done> {
    return new Promise((resolve, reject) => {
      const thread = this.#leastBusy()
      // A task that can't be sent throws here. Without a place among the waiting ones, it gets no result of another task.
      thread.worker.postMessage(task, transfer)
      thread.waiting.push({ resolve, reject })
      thread.worker.ref()
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #leastBusy(): Thread {
    const [least] = this.#threads.toSorted((a, b) => a.waiting.length - b.waiting.length)
    const isFull = this.#threads.length >= this.#most
    return least && (isFull || least.waiting.length === 0) ? least : this.#start()
  }

  #start(): Thread {
    const worker = startWorker()
    const thread: Thread = { worker, waiting: [] }
    this.#threads.push(thread)
    worker.on('message', (done: Done) => {
      thread.waiting.shift()?.resolve(done)
      // A thread without work does not keep the process alive.
      if (thread.waiting.length === 0) worker.unref()
    })
    const fail = (reason: string) => {
      if (this.#threads.includes(thread)) this.#threads.splice(this.#threads.indexOf(thread), 1)
      for (const { reject } of thread.waiting.splice(0)) reject(new ThreadFailed(reason))
    }
    worker.on('error', (error) => fail(String(error)))
    worker.on('exit', () => fail('The thread ended'))
    return thread
  }
}

function startWorker(): Worker {
  try {
    return startThread(new URL('./coder-thread.mjs', import.meta.url))
  } catch (error) {
    throw new ThreadFailed(String(error))
  }
}
