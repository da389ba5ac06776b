import { describe, expect, test } from 'vitest'
import { Growth } from '../../src/hub/growth.ts'

const MB = 1_000_000

/** A line and a process as they may be; rates in bytes per second. */
interface Line {
  perConnection?: number
  total?: number
  /** What the process could take if it did nothing else. */
  process?: number
  /** Milliseconds until a request is answered. */
  latency?: number
}

/** Lets a download of a second go over a line, by a clock of its own; gives how many connections there were, one after the other. */
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
  test.each([5, 20, 50, 100])('takes eight connections where each is capped at %d MB/s', (rate) => {
    expect(grown({ perConnection: rate * MB })).toEqual([1, 8])
  })

  test('stays on one where nothing is capped: the process is what is missing', () => {
    expect(grown({ process: 400 * MB })).toEqual([1])
    expect(grown({ perConnection: 300 * MB, process: 400 * MB })).toEqual([1])
  })

  test('goes back to one where the line is the limit', () => {
    expect(grown({ total: 50 * MB })).toEqual([1, 8, 1])
    expect(grown({ perConnection: 50 * MB, total: 60 * MB })).toEqual([1, 8, 1])
  })

  test('takes them also where that is more than the process can take', () => {
    expect(grown({ perConnection: 100 * MB, process: 420 * MB })).toEqual([1, 8])
  })

  test('waits until the connections are answered that it took: what comes before says nothing', () => {
    expect(grown({ perConnection: 20 * MB, latency: 150 })).toEqual([1, 8])
  })

  test('takes no more once it was settled', () => {
    const growth = new Growth({ now: () => 0, watch: () => () => 0 })
    growth.opened()
    growth.settle(2)
    expect([growth.saw(100 * MB), growth.lanes, growth.isSettled]).toEqual([false, 2, true])
  })
})
