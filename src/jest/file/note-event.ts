import type { Worker } from '../../run/worker/worker.ts'
import type { CircusTest, TestEvent, TestState } from '../types.ts'
import { explainTimeout } from './explain-timeout.ts'

// A skipped test begins, too, and has no `test_done`.
const ENDS = ['test_done', 'test_skip', 'test_todo']

/** Notes which test runs, and explains a test or a hook that timed out. */
export function noteEvent(worker: Worker, event: TestEvent, state: TestState): void {
  const { name, test } = event
  if (test && name === 'test_start') worker.running.add(fullName(test))
  if (test && ENDS.includes(name)) worker.running.delete(fullName(test))
  if (name !== 'test_fn_failure' && name !== 'hook_failure') return
  const downloads = [...worker.underWay()]
  const isExplained = explainTimeout(event, state, downloads, worker.manifest)
  if (isExplained) for (const each of downloads) worker.timedOut(each, test && fullName(test))
}

/** The name of a test with the names of its blocks, as in Jest's results. The outermost block is the file, and has no name of its own. */
function fullName({ name, parent }: CircusTest): string {
  const names = [name]
  for (let block: typeof parent | undefined = parent; block?.parent; block = block.parent) names.unshift(block.name)
  return names.join(' ')
}
