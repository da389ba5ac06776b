import { expect, test } from 'vitest'
import { withSharedThreads } from '../../src/loading/session-threads.ts'

const shared = (options: object | undefined, { version = '1.30.0', filesAtOnce = 4 } = {}) =>
  withSharedThreads(options, version, { threads: 'shared', filesAtOnce })
const spins = (microseconds: string) => ({
  extra: { session: { intra_op: { spin_duration_us: microseconds } } },
})
const OFF = { extra: { session: { intra_op: { allow_spinning: '0' } } } }

test.each([
  ['1.30.0', 4, spins('50')],
  ['1.30.0', 1, spins('1000')],
  ['2.0.0', 4, spins('50')],
  ['1.26.0', 4, spins('50')],
  ['1.24.3', 4, OFF],
  ['1.21.0', 4, OFF],
  ['1.21.0', 1, undefined],
  ['1.20.1', 4, undefined],
  ['unknown', 4, undefined],
])(
  'with onnxruntime-node %s and %i test files at a time, threads wait accordingly',
  (version, filesAtOnce, options) => {
    expect(shared(undefined, { version, filesAtOnce })).toEqual(options)
  },
)

test('the other options of a session are kept, and the given object is not changed', () => {
  const given = { graphOptimizationLevel: 'basic', extra: { session: { disable_prepacking: '1' }, other: {} } }
  const before = structuredClone(given)
  expect(shared(given)).toEqual({
    graphOptimizationLevel: 'basic',
    extra: { session: { disable_prepacking: '1', intra_op: { spin_duration_us: '50' } }, other: {} },
  })
  expect(given).toEqual(before)
})

test.each([
  { intraOpNumThreads: 2 },
  { interOpNumThreads: 2 },
  { executionMode: 'parallel' },
  { extra: { session: { intra_op: { allow_spinning: '1' } } } },
  { extra: { session: { 'inter_op.allow_spinning': '0' } } },
  { extra: { 'session.intra_op_thread_affinities': '1' } },
  { extra: { session: { force_spinning_stop: '1' } } },
  { extra: 'not an object' },
])('a session that sets threads itself is not changed: %o', (given) => {
  expect(shared(given)).toBe(given)
})

test('`as-is` changes no session', () => {
  expect(withSharedThreads(undefined, '1.30.0', { threads: 'as-is', filesAtOnce: 4 })).toBe(undefined)
})
