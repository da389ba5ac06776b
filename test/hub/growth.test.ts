import { describe, expect, test } from 'vitest'
import { Growth } from '../../src/hub/growth.ts'

const MB = 1_000_000

/** A simulated network and process; rates in bytes per second. */
interface Line {
  perConnection?: number
  total?: number
  /** The highest rate that the process can receive. */
  process?: number
  /** Milliseconds until the response to a request starts. */
  latency?: number
}

/** Simulates one second of a download with a clock of its own. Returns the numbers of connections that it used, in order. */
function grown({
  perConnection = Number.POSITIVE_INFINITY,
  total = Number.POSITIVE_INFINITY,
  process = 1000 * MB,
  latency = 5,
}: Line): number[] {
  let now = 0
  const rateOf = (lanes: number) => Math.min(lanes * perConnection, total, process)
  let answering = 0
  const growth = new Growth({ now: () => now, watch: () => () => rateOf(answering) / process })
  const lanes = [growth.lanes]
  const asked = [0]
  while (now < 1000) {
    now++
    while (asked.length < growth.lanes) asked.push(now)
    for (const at of asked)
      if (at + latency === now) {
        growth.opened()
        answering++
      }
    for (let lane = 0; lane < answering; lane++) growth.saw(rateOf(answering) / answering / 1000)
    if (growth.lanes !== lanes.at(-1)) lanes.push(growth.lanes)
  }
  expect(growth.isSettled).toBe(true)
  return lanes
}

describe('a download', () => {
  test.each([5, 20, 50, 100])('uses eight connections where each is limited to %d MB/s', (rate) => {
    expect(grown({ perConnection: rate * MB })).toEqual([1, 8])
  })

  test('stays on one connection where the process is the limit', () => {
    expect(grown({ process: 400 * MB })).toEqual([1])
    expect(grown({ perConnection: 300 * MB, process: 400 * MB })).toEqual([1])
  })

  test('goes back to one connection where the network is the limit', () => {
    expect(grown({ total: 50 * MB })).toEqual([1, 8, 1])
    expect(grown({ perConnection: 50 * MB, total: 60 * MB })).toEqual([1, 8, 1])
  })

  test('uses eight connections even if together they are faster than the process', () => {
    expect(grown({ perConnection: 100 * MB, process: 420 * MB })).toEqual([1, 8])
  })

  test('measures only from the time at which all connections have their response', () => {
    expect(grown({ perConnection: 20 * MB, latency: 150 })).toEqual([1, 8])
  })

  test('opens no more connections once the number is settled', () => {
    const growth = new Growth({ now: () => 0, watch: () => () => 0 })
    growth.opened()
    growth.settle(2)
    expect([growth.saw(100 * MB), growth.lanes, growth.isSettled]).toEqual([false, 2, true])
  })
})
