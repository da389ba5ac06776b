import { availableParallelism } from 'node:os'
import type { TestProject } from 'vitest/node'
import type { Project } from '../run/project.ts'

/**
 * The workers of a project. Undefined where test files can't share what a worker has loaded: each vm context has its own modules,
 * and of a custom pool nothing is known.
 */
export function workersOf({ config, vitest }: TestProject): Project['workers'] {
  if (config.pool !== 'forks' && config.pool !== 'threads') return undefined
  return {
    most: config.maxWorkers || vitest.config.maxWorkers || defaultWorkers(vitest.config.watch),
    isIsolated: config.isolate,
  }
}

/** Vitest 4 has its default in the pool (`resolveMaxWorkers`), Vitest 5 in the config. */
function defaultWorkers(isWatching: boolean): number {
  const cores = availableParallelism()
  return Math.max(1, isWatching ? Math.floor(cores / 2) : cores - 1)
}
