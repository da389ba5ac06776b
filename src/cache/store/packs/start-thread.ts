import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

/** Throws where no thread can be started. */
export function startThread(file: URL, workerData?: unknown): Worker {
  // Some flags of the process can't be used in a thread, and `--import` would load the user's code into it.
  return new Worker(fileURLToPath(file), { workerData, execArgv: [] })
}
