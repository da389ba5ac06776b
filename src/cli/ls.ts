import { formatAge, formatSize } from '../config/units.ts'
import { entrySize } from '../model/entry.ts'
import { modelLabel } from '../model/model.ts'
import { originals } from '../platform/originals.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'

/** One line a model: name, commit, size, number of files, time since its last use. */
export async function list(globalOptions: GlobalOptions): Promise<number> {
  const { cache } = await openCache(globalOptions)
  const rows = (await cache.list()).map((entry) => [
    modelLabel(entry),
    entry.commit.slice(0, 7),
    formatSize(entrySize(entry)),
    `${entry.files.size} files`,
    `used ${formatAge(originals.now() - Date.parse(entry.lastAccessDate))} ago`,
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return 0
}
