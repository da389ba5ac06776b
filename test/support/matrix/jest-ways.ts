import { TOOLCHAINS } from '../jest/kinds.ts'
import { DECLARED, UNTOUCHED } from './fixture.ts'
import { type JestCell, type JestFilter, jestCellsOf } from './jest-cells.ts'
import { jestSuite } from './jest-fixture.ts'
import { type Lane, versionOf, type Workshop } from './lanes.ts'
import type { Program } from './run-suite.ts'
import type { Task } from './table.ts'
import { ONE_RUNTIME, packWrapper } from './wrapper.ts'

const EXACT: Record<string, string> = { '29.7': '29.7.0', '30.5': '30.5.2' }

/** A suite in every combination of Jest, Node.js, pool, kind of module and environment. */
export async function jestMatrix(workshop: Workshop, model: string, filter: JestFilter): Promise<Task[]> {
  const cells = jestCellsOf(filter)
  const isQuick = filter.quick ?? false
  const lanes = new Map<string, Lane>()
  const versions = [...new Set(cells.map((cell) => cell.jest))]
  const wrapper = await packWrapper(workshop)
  for (const jest of versions) lanes.set(jest, await openJestLane(workshop, { jest, cells, wrapper, isQuick }))
  const tasks: Task[] = []
  for (const cell of cells) {
    const lane = lanes.get(cell.jest)
    if (lane) tasks.push(taskOf(cell, await workshop.withNode(lane, cell.node), model))
  }
  return tasks
}

/** For `isQuick`, the repository's Jest is used where it has the version. */
async function openJestLane(
  workshop: Workshop,
  { jest, cells, wrapper, isQuick }: { jest: string; cells: JestCell[]; wrapper: string; isQuick: boolean },
): Promise<Lane> {
  if (isQuick && (await versionOf('jest')) === EXACT[jest])
    return workshop.linkedLane(`jest-${jest}`, process.execPath, 'jest')
  const compilers = cells.flatMap((cell) => (cell.jest === jest ? (TOOLCHAINS[cell.kind].packages ?? []) : []))
  const packages = [
    ...['jest', 'jest-environment-jsdom'].map((name) => `${name}@${EXACT[jest]}`),
    ...new Set(compilers),
    `@huggingface/transformers@${await versionOf('@huggingface/transformers')}`,
    wrapper,
  ]
  return workshop.installedLane(`jest-${jest}`, packages, { overrides: ONE_RUNTIME, runner: 'jest' })
}

function taskOf(cell: JestCell, lane: Lane, model: string): Task {
  const { jest: _, node, ...labels } = cell
  const { files, requests } = jestSuite(cell, !lane.isLinked)
  const program = (config: string): Program => ({
    nodeArguments: TOOLCHAINS[cell.kind].nodeArguments ?? [],
    path: 'jest/bin/jest.js',
    args: ['--config', config, ...(cell.pool === 'band' ? ['--runInBand'] : [])],
  })
  // In jsdom, transformers.js fails earlier.
  const isPlainShown = cell.pool === 'forks' && cell.environment === 'node'
  return {
    labels,
    lane,
    suite: {
      name: [`node-${node}`, ...Object.values(labels)].join(' '),
      files,
      repos: { [UNTOUCHED]: model, [DECLARED]: model },
      ownCaches: ['own-cache'],
      program: program('jest.config.mjs'),
      ...(isPlainShown && { plain: program('plain.config.mjs') }),
    },
    expected: { requests, ...(isPlainShown && { plainFailure: 'must be type of function Float32Array()' }) },
  }
}
