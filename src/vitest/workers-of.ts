import { availableParallelism } from 'node:os'
import type { TestProject } from 'vitest/node'
import type { Project } from '../run/project.ts'

/**
 * The workers of a project. Undefined where test files can't share what a worker has loaded: each vm context has its own modules,
 * and of a custom pool nothing is known.
 */
export function workersOf(project: TestProject): Project['workers'] {
  const { pool, isolate } = project.config
  return pool === 'forks' || pool === 'threads' ? { most: mostWorkers(project), isIsolated: isolate } : undefined
}

/** The largest number of workers at the same time. Vitest 4 has its default in the pool (`resolveMaxWorkers`), Vitest 5 in the config. */
export function mostWorkers({ config, vitest }: TestProject): number {
  const cores = availableParallelism()
  const usual = vitest.config.watch ? Math.floor(cores / 2) : cores - 1
  return config.maxWorkers || vitest.config.maxWorkers || Math.max(1, usual)
}
