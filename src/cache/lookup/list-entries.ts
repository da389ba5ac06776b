import { type Entry, entryKey } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { rebuildEntries } from '../store/entries/rebuild.ts'
import { isImported } from './imported-answers.ts'

/** All entries, sorted by `entryKey`: the recorded ones, and those that another tool has put into `hub/` since. */
export async function listEntries(context: CacheContext): Promise<Entry[]> {
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  const found = await findUnrecorded(context, recorded)
  // A snapshot of a known endpoint without a record is not complete: its download runs now, or was interrupted. The same is true for
  // an import.
  const unrecorded = found.filter((entry) => entry.endpoint === undefined && !isImported(context, entry))
  const all = [...recorded.values(), ...unrecorded]
  return unrecorded.length === 0 ? all : all.sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
}

/** Makes entries of the snapshots in `hub/` that have no record. */
export function findUnrecorded(context: CacheContext, recorded: ReadonlyMap<string, Entry>): Promise<Entry[]> {
  return rebuildEntries(context.layout, context.origin.endpoint, (key) => recorded.has(key))
}
