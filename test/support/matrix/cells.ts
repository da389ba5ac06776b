/** One way to run a suite. */
export interface Cell {
  lane: string
  pool: string
  isolate: boolean
  environment: string
}

/** Selects cells of the matrix. Default: all. */
export interface Filter {
  lane?: string
  pool?: string
  isolate?: boolean
  environment?: string
  /** True for only one cell of each lane and pool. */
  quick?: boolean
}

export const POOLS = ['forks', 'threads', 'vmForks', 'vmThreads']
export const ENVIRONMENTS = ['node', 'jsdom', 'happy-dom']

/** The cells of the lanes, in the order in which they are shown. */
export function cellsOf(lanes: string[], filter: Filter = {}): Cell[] {
  const all = lanes.flatMap((lane, laneIndex) =>
    POOLS.flatMap((pool, poolIndex) =>
      [true, false].flatMap((isolate, isolateIndex) =>
        ENVIRONMENTS.map((environment, index) => ({
          cell: { lane, pool, isolate, environment },
          // With `quick`, each pool gets a different environment, and isolation in only one of the two lanes.
          isQuick:
            index === (poolIndex + laneIndex) % ENVIRONMENTS.length && isolateIndex === (poolIndex + laneIndex) % 2,
        })),
      ),
    ),
  )
  return all.filter(({ cell, isQuick }) => (!filter.quick || isQuick) && matches(cell, filter)).map(({ cell }) => cell)
}

function matches(cell: Cell, filter: Filter): boolean {
  const names = ['lane', 'pool', 'isolate', 'environment'] as const
  return names.every((name) => filter[name] === undefined || filter[name] === cell[name])
}
