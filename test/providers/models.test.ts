import { expect, onTestFinished, test } from 'vitest'
import { makeModels } from '../../src/providers/models.ts'
import { Recorder } from '../../src/providers/recorder.ts'

const openCache = () => Promise.reject(new Error('No cache is needed'))
const threads = { threads: 'shared', filesAtOnce: 1 } as const
const { models } = makeModels({ openCache, mode: 'unit', recorder: new Recorder(), root: '/', threads }, new Map())

/** The error of a call that fails. */
function refusal(): Promise<Error> {
  return models.path('org/name').then(
    () => new Error('The call did not fail'),
    (error) => error,
  )
}

test('an error of a models call has the stack of the call, without lines of this package', async () => {
  const { message, stack = '' } = await refusal()
  expect(stack).toContain(message)
  expect(stack.split('\n').find((line) => /^\s+at /.test(line))).toContain('models.test.ts')
})

test.each<[string, () => void]>([
  ['makes stacks in another form', () => (Error.prepareStackTrace = (_, frames) => frames)],
  ['removes Error.captureStackTrace', () => Reflect.deleteProperty(Error, 'captureStackTrace')],
  ['wants no stacks', () => (Error.stackTraceLimit = 0)],
])('a models call fails with its own error in a suite that %s', async (_, change) => {
  const { prepareStackTrace, captureStackTrace, stackTraceLimit } = Error
  onTestFinished(() => void Object.assign(Error, { prepareStackTrace, captureStackTrace, stackTraceLimit }))
  change()
  const error = await refusal()
  Object.assign(Error, { prepareStackTrace, captureStackTrace, stackTraceLimit })
  expect(error).toMatchObject({ code: 'UNIT_MODE' })
})
