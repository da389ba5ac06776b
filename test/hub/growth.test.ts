import { expect, test } from 'vitest'
import { Growth } from '../../src/hub/growth.ts'

const MB = 1 << 20

/** A line, as a growth sees it: so many bytes a second by each connection, and all together no more than `total`. */
class Line {
  #now = 0
  #isBusy = false
  #open = 0
  readonly growth = new Growth({ now: () => this.#now, watch: () => this.#watch() })

  constructor(
    readonly each: number,
    readonly total = Number.POSITIVE_INFINITY,
  ) {}

  /** For so many milliseconds bytes come; connections that are wanted are there at once. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      for (; this.#open < this.growth.lanes; this.#open++) this.growth.opened(true)
      for (; this.#open > this.growth.lanes; this.#open--) this.growth.closed()
      this.#now += 10
      this.growth.saw((Math.min(this.each * this.#open, this.total) / 1000) * 10)
    }
  }

  /** The process is at something else for so long; what piled up comes at once. */
  stall(ms: number): void {
    this.#now += ms
    this.#isBusy = true
    this.growth.saw((Math.min(this.each * this.#open, this.total) / 1000) * ms)
  }

  #watch(): () => boolean {
    this.#isBusy = false
    return () => this.#isBusy
  }
}

test('takes all connections where the line caps each', () => {
  const line = new Line(20 * MB)
  line.run(1000)
  expect(line.growth.lanes).toBe(8)
})

test('stays with one where the line is the limit', () => {
  const line = new Line(50 * MB, 50 * MB)
  line.run(1000)
  expect([line.growth.lanes, line.growth.isSettled]).toEqual([1, true])
})

test('tries again after a while where more did not pay, and then no more', () => {
  const line = new Line(50 * MB, 50 * MB)
  line.run(1000)
  expect(line.growth.isFinal).toBe(false)
  line.run(10_000)
  expect([line.growth.lanes, line.growth.isFinal]).toEqual([1, true])
})

test.each([10, 40, 60, 100, 150, 200])('is not misled by a stall of the process at %i ms', (at) => {
  const line = new Line(20 * MB)
  line.run(at)
  line.stall(150)
  line.run(1000)
  expect(line.growth.lanes).toBe(8)
})

test('takes no more where the process is busy all the time', () => {
  const line = new Line(300 * MB)
  line.run(10)
  for (let turn = 0; turn < 40; turn++) line.stall(50)
  expect([line.growth.lanes, line.growth.isSettled]).toEqual([1, true])
})
