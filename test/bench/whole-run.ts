// A whole `vitest run` with the plugin, and without it. Measured as a user would: by the clock, and the processor time of all processes.
import type { BenchContext, Findings, Row } from './row.ts'
import { cpuMs, ratioRows, type Suite, Suites, wallMs } from './suites.ts'

interface Case extends Suite {
  /** The targets of the ratios. */
  reach: { wall?: number; cpu?: number }
  /** True if `--quick` skips it. */
  isLong?: boolean
}

const CASES: Case[] = [
  { name: 'a', what: '(a) 6 files, no model', files: 6, rounds: 15, reach: { wall: 1.02 } },
  { name: 'b', what: '(b) 1 file, 90 MB', files: 1, model: 'small', rounds: 15, reach: { wall: 1 } },
  {
    ...{ name: 'c', what: '(c) 10 files, 4 workers, 90 MB', files: 10, workers: 4, model: 'small' },
    ...{ rounds: 5, reach: { cpu: 0.85 }, isLong: true },
  },
  {
    ...{ name: 'd', what: '(d) 4 files, 4 workers, 435 MB', files: 4, workers: 4, model: 'base' },
    ...{ rounds: 5, reach: { cpu: 0.65 }, isLong: true },
  },
  {
    ...{ name: 'e', what: '(e) 10 declared models, 1 file, 90 MB', files: 1, model: 'small', unused: 9 },
    ...{ rounds: 9, reach: {} },
  },
]

export async function wholeRun({ packageDirectory, isQuick, only }: BenchContext): Promise<Findings> {
  const cases = CASES.filter(({ name, isLong }) => (only ? only.includes(name) : !(isQuick && isLong)))
  const suites = await Suites.create(packageDirectory)
  try {
    const rows: Row[] = []
    for (const each of cases) {
      const { what, reach } = each
      const runs = await suites.measure(each, isQuick ? 2 : each.rounds)
      rows.push(...ratioRows(`${what}: wall, with the plugin against without`, 'ms', runs, wallMs, reach.wall))
      rows.push(...ratioRows(`${what}: processor time`, 'ms', runs, cpuMs, reach.cpu))
    }
    return { rows }
  } finally {
    await suites.remove()
  }
}
