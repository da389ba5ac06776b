import { existsSync } from 'node:fs'
import type { Manifest } from '../../cache/context/manifest.ts'
import { writeAtomically } from '../../cache/store/atomic-write.ts'

/**
 * Writes a manifest for other processes. If that fails, they look for models in the metadata. No file says the same as an empty manifest,
 * but the run before may have left one.
 */
export function writeManifest(file: string, manifest: Manifest): void {
  if (manifest.models.length + manifest.failures.length === 0 && !existsSync(file)) return
  try {
    writeAtomically(file, JSON.stringify(manifest))
  } catch {
    // The cache folder is read-only.
  }
}
