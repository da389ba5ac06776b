import { readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'

/** Every file under a folder, by its path with forward slashes. Follows symlinks: a Hugging Face snapshot is made of them. */
export function filesUnder(directory: string): Record<string, { path: string }> {
  const files: Record<string, { path: string }> = {}
  for (const relative of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, relative)
    if (statSync(path).isFile()) files[relative.split(sep).join('/')] = { path }
  }
  return files
}
