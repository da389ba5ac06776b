import type { EntryId } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'

/**
 * Warns once about a folder into which others can write, and says how its files were checked: `asked` when the Hub stated the digests
 * just now, `unchecked` when it could not be asked.
 */
export async function warnOfSharedFolder(
  context: CacheContext,
  entry: EntryId,
  checked: 'asked' | 'unchecked',
): Promise<void> {
  const who = await context.whoElseWrites(entry)
  if (!who) return
  const what =
    checked === 'asked'
      ? 'each process asks the Hub for the digests, and verifies each file before it is used'
      : 'the Hub was not asked for the digests, so nothing could be checked and other users may have changed the files'
  context.warn(`${who}: ${what}. Make the folder accessible to you only (chown, chmod 700), or set MODEL_CACHE_DIR.`)
}
