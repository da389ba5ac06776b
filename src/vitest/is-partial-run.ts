import type { Vitest } from 'vitest/node'

/** True when a filter of the command line or of the config left out some of the tests. */
export function isPartialRun(vitest: Vitest): boolean {
  const { testNamePattern, shard, changed, related, project } = vitest.config
  // The file names that the command line gives are not in the config. Vitest 4.1 keeps them here.
  const filters: unknown = Reflect.get(vitest, 'filenamePattern')
  return Boolean(testNamePattern || shard || changed || related || project.length > 0 || filters)
}
