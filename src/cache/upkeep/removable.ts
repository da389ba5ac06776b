import type { Entry } from '../../model/entry.ts'
import { isHubLinked } from '../store/cache-folder.ts'
import type { Layout } from '../store/layout.ts'

/**
 * The entries that a limit may remove. Where `hub` is a link, it may lead to a folder that other tools fill: there, only what this
 * package downloaded goes without being named.
 */
export function removable(layout: Layout, entries: Entry[]): Entry[] {
  return isHubLinked(layout) ? entries.filter(wasDownloaded) : entries
}

function wasDownloaded({ files }: Entry): boolean {
  return [...files.values()].every(({ downloadMs }) => downloadMs !== null)
}
