import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Ends a process at once, without a chance to clean up, and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
