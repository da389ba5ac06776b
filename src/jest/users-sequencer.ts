import { realpathSync } from 'node:fs'

// On the global object: the config file may load this module as a module of another kind than Jest loads our sequencer.
const KEY = Symbol.for('vitest-model-cache.jest-sequencers')

/** The test sequencer of a config, which ours replaces. */
interface UsersSequencer {
  /** The root of the config. */
  root: string
  /** As the config has it. Undefined for Jest's default. */
  sequencer: string | undefined
}

export function keepUsersSequencer(given: UsersSequencer): void {
  kept().set(realPath(given.root), given)
}

/**
 * What the config of the run had. `root`: the root of the run, which Jest 29 does not tell. Undefined if this process has read no config by
 * `withModelCache`.
 */
export function usersSequencer(root?: string): UsersSequencer | undefined {
  const all = kept()
  // `--rootDir` replaces the root of a config. The config of the run is read before those of its projects.
  return all.get(root ?? '') ?? [...all.values()][0]
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
