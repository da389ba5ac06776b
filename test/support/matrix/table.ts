import { markdownOf } from '../faults/table.ts'
import type { Expected } from './judge.ts'
import type { Lane } from './lanes.ts'
import type { Outcome, Suite } from './run-suite.ts'

/** A suite to be run twice. */
export interface Task {
  /** The first columns of the line. */
  labels: Record<string, string>
  lane: Lane
  suite: Suite
  expected: Expected
  /** Tasks with the same value run one after the other. */
  turn?: string
}

export interface Line {
  cells: Record<string, string>
  /** Empty if the task passed. */
  faults: string[]
}

export function lineOf({ labels, lane }: Task, { cold, warm, copiedBytes }: Outcome, faults: string[]): Line {
  const cells = {
    runner: lane.versions.runner,
    'Node.js': lane.versions.node,
    ...labels,
    'cold requests': String(cold.requests),
    'cold bytes': `${cold.bytesRatio.toFixed(2)}x`,
    'warm requests': String(warm.requests),
    'second copy': `${copiedBytes} B`,
    suite: faults.length === 0 ? 'green' : 'RED',
    'cold, warm': `${(cold.ms / 1000).toFixed(1)} s, ${(warm.ms / 1000).toFixed(1)} s`,
  }
  return { cells, faults }
}

/** Lines with the same columns, as a Markdown table. */
export function markdownOfLines(lines: Line[]): string {
  return markdownOf([Object.keys(lines[0]?.cells ?? {}), ...lines.map(({ cells }) => Object.values(cells))])
}
