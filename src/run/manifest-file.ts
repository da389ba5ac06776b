import { join } from 'node:path'

/** The path of the manifest that child processes read, in the folder for their events. */
export function manifestFile(folder: string): string {
  return join(folder, 'manifest.json')
}
