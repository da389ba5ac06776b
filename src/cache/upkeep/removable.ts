import type { Entry } from '../../model/entry.ts'
import { isHubLinked } from '../store/cache-folder.ts'
import type { Layout } from '../store/layout.ts'

/**
 * The entries that a limit may remove. When `hub` is a link, other tools may use its target too: then a limit removes only
 * what this package downloaded.
 */
export function removable(layout: Layout, entries: Entry[]): Entry[] {
  return isHubLinked(layout) ? entries.filter(wasDownloaded) : entries
}

function wasDownloaded({ files }: Entry): boolean {
  return [...files.values()].every(({ downloadMs }) => downloadMs !== null)
}
