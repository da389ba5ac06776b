import { realpathSync } from 'node:fs'
import type { GlobalConfig } from '../types.ts'

// On the global object: the config file may load this module as a module of another kind than Jest loads our sequencer.
const KEY = Symbol.for('vitest-model-cache.jest-sequencers')

/** The test sequencer of a config, which ours replaces. */
export interface UsersSequencer {
  /** The root of the config. */
  root: string
  /** As the config has it. Undefined for Jest's default. */
  sequencer: string | undefined
}

export function keepUsersSequencer(given: UsersSequencer): void {
  kept().set(realPath(given.root), given)
}

/**
 * What the config of the run had. `run`: the config of the run, which Jest 29 does not tell. Undefined if this process did not read it by
 * `withModelCache`.
 */
export function usersSequencer(run?: Pick<GlobalConfig, 'rootDir' | 'projects'>): UsersSequencer | undefined {
  const all = kept()
  // `--rootDir` replaces the root of a config. Among several projects, the only known config can be that of a project, which does not
  // decide. The config of the run is read before those of its projects.
  const isOfRun = !run || (all.size === 1 && run.projects.length === 0)
  return all.get(run?.rootDir ?? '') ?? (isOfRun ? [...all.values()][0] : undefined)
}

/** Jest's roots are real paths. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

function kept(): Map<string, UsersSequencer> {
  const global: object = globalThis
  const holder: { [KEY]?: Map<string, UsersSequencer> } = global
  holder[KEY] ??= new Map()
  return holder[KEY]
}
