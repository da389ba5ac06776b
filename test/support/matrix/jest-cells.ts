import type { Kind } from '../jest/kinds.ts'

/** One way to run a suite with Jest. */
export interface JestCell {
  jest: string
  /** The major version of Node.js. */
  node: string
  pool: string
  kind: Kind
  environment: string
}

/** Selects cells. Default: all. */
export interface JestFilter {
  jest?: string
  pool?: string
  kind?: string
  environment?: string
  /** True for a few cells that cover each value of each axis. */
  quick?: boolean
}

export const JESTS = ['29.7', '30.5']
const NODES = ['20', '24']
export const JEST_POOLS = ['band', 'forks', 'threads']
const MODULES: Kind[] = ['cjs', 'esm']
export const COMPILED: Kind[] = ['babel', 'swc', 'ts-jest']
const JEST_ENVIRONMENTS = ['node', 'jsdom']

// For `quick` there is only one Node.js for each Jest.
const QUICK: JestCell[] = [
  { jest: '29.7', node: '24', pool: 'band', kind: 'cjs', environment: 'jsdom' },
  { jest: '29.7', node: '24', pool: 'threads', kind: 'esm', environment: 'node' },
  { jest: '29.7', node: '24', pool: 'forks', kind: 'ts-jest', environment: 'node' },
  { jest: '30.5', node: '20', pool: 'forks', kind: 'esm', environment: 'jsdom' },
  { jest: '30.5', node: '20', pool: 'threads', kind: 'cjs', environment: 'node' },
]

/** Jest, Node.js, pool, kind of module and environment in all combinations; then compiled tests, in forks. */
export function jestCellsOf(filter: JestFilter): JestCell[] {
  const versions = JESTS.flatMap((jest) => NODES.map((node) => ({ jest, node })))
  const all = versions.flatMap((version) => [
    ...JEST_POOLS.flatMap((pool) =>
      MODULES.flatMap((kind) => JEST_ENVIRONMENTS.map((environment) => ({ ...version, pool, kind, environment }))),
    ),
    ...COMPILED.map((kind) => ({ ...version, pool: 'forks', kind, environment: 'node' })),
  ])
  const axes = ['jest', 'pool', 'kind', 'environment'] as const
  const isWanted = (cell: JestCell) => axes.every((axis) => filter[axis] === undefined || filter[axis] === cell[axis])
  return (filter.quick ? QUICK : all).filter(isWanted)
}
