import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** The size in bytes of a cache's unfinished download on disk; 0 where there is none. */
export async function incompleteBytes(cacheDir: string): Promise<number> {
  const incoming = join(cacheDir, 'incoming')
  const names = (await readdir(incoming).catch(() => [])).filter((name) => name.endsWith('.incomplete'))
  return (await stat(join(incoming, names[0] ?? 'none')).catch(() => ({ size: 0 }))).size
}
