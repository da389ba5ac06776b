import { canonicalTask } from '../model/task.ts'
import { type Call, MOCKED_TASKS, mockCall } from './tasks.ts'
import { noMockOfTask } from './unit-mode-error.ts'

/** What every pipeline of transformers.js has. */
export interface MockPipeline extends Call {
  task: string
  model: { config: { _name_or_path: string } }
  dispose(): Promise<unknown[]>
}

/** A pipeline in the shape of the real one: deterministic, instant, and without a model. Throws `UNIT_MODE`. */
export function mockPipeline(task: string, model: string): MockPipeline {
  const name = canonicalTask(task)
  const call = mockCall(name, model)
  if (!call) throw noMockOfTask(task, MOCKED_TASKS)
  return Object.assign(call, { task: name, model: { config: { _name_or_path: model } }, dispose: async () => [] })
}
