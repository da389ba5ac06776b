import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Vite } from 'vitest/node'

const OWN_FOLDER = fileURLToPath(new URL('..', import.meta.url))

/**
 * Lets Vite read the files of this package for jsdom, happy-dom and browsers. By default Vite reads only what lies in the
 * workspace, and the package may be installed above it or be linked from elsewhere. Called when the config is resolved: until
 * then Vite's default list is not known.
 */
export function allowOwnFolder({ server }: Vite.ResolvedConfig): void {
  const { allow } = server.fs
  for (const folder of [OWN_FOLDER, realpathSync(OWN_FOLDER)].map(asVitePath))
    if (!allow.includes(folder)) allow.push(folder)
}

function asVitePath(folder: string): string {
  return folder.replaceAll('\\', '/').replace(/\/$/, '')
}
