import { type Entry, entryKey } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { rebuildEntries } from '../store/rebuild.ts'

/** All entries, in the order of their names: what is recorded, and what another tool put into `hub/` since. */
export async function listEntries(context: CacheContext): Promise<Entry[]> {
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  const found = await findUnrecorded(context, recorded)
  // What came from a known endpoint is being downloaded now, and recorded when it is complete.
  const strangers = found.filter(({ endpoint }) => endpoint === undefined)
  const all = [...recorded.values(), ...strangers]
  return strangers.length === 0 ? all : all.sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
}

/** What lies in `hub/` without a record. */
export function findUnrecorded(context: CacheContext, recorded: ReadonlyMap<string, Entry>): Promise<Entry[]> {
  return rebuildEntries(context.layout, context.origin.endpoint, (key) => recorded.has(key))
}
