import { type Entry, packedContents } from '../../../model/entry.ts'
import type { Layout } from '../layout.ts'
import { removePackedModel, writePackedModel } from '../packs/packed-models.ts'
import { toRecord } from './record.ts'

/**
 * Lists the packed blobs of an entry, so that they are kept in the pack files. An entry without any is removed from the list. Returns false
 * when `isAllowed` says no, right before the file gets its name.
 */
export async function listPacked(
  layout: Layout,
  entry: Entry,
  isSettled: boolean,
  isAllowed: () => boolean = () => true,
): Promise<boolean> {
  const blobs = [...packedContents(entry).keys()]
  if (blobs.length > 0) return writePackedModel(layout, entry, { blobs, isSettled, record: toRecord(entry) }, isAllowed)
  removePackedModel(layout, entry)
  return true
}
