import { readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'

/** All files below a folder, by path with forward slashes. Follows symlinks, which a Hugging Face snapshot consists of. */
export function filesUnder(directory: string): Record<string, { path: string }> {
  const files: Record<string, { path: string }> = {}
  for (const relative of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, relative)
    if (statSync(path).isFile()) files[relative.split(sep).join('/')] = { path }
  }
  return files
}
