import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '../cache/context/manifest.ts'

/** The path of the manifest that child processes read, in the folder for their events. */
export function manifestFile(folder: string): string {
  return join(folder, 'manifest.json')
}

/** Writes the manifest for child processes. If that fails, they look for models in the metadata. */
export function writeManifest(folder: string, manifest: Manifest): void {
  if (manifest.models.length === 0) return
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(manifestFile(folder), JSON.stringify(manifest), { mode: 0o600 })
  } catch {
    // The cache folder is read-only.
  }
}
