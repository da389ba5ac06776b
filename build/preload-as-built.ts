import { join, posix } from 'node:path'
import type { Plugin } from 'rolldown'

/** Has imports of a `.cts` file load its built file in `folder`. `--require` loads the same file, so a process has one copy. */
export function preloadAsBuilt(folder: string): Plugin {
  return {
    name: 'preload-as-built',
    resolveId(id) {
      if (!id.endsWith('.cts')) return undefined
      return {
        id: join(folder, `${posix.basename(id, '.cts')}.cjs`),
        external: 'relative',
      }
    },
  }
}
