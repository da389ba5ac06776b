import type { CachedEntry } from '../statistics.ts'

/** Gives the short commit of an entry, if another entry has the same name. The cache can hold two commits of one repo. */
export function commits(entries: CachedEntry[]): (entry: CachedEntry) => string | undefined {
  const counts = new Map<string, number>()
  for (const { model } of entries) counts.set(model, (counts.get(model) ?? 0) + 1)
  return ({ model, commit }) => ((counts.get(model) ?? 0) > 1 ? commit.slice(0, 7) : undefined)
}
