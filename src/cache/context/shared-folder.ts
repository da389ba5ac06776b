import { readFileSync, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import process from 'node:process'
import type { EntryId } from '../../model/entry.ts'
import { isSystemError } from '../../model/errors.ts'
import type { Layout } from '../store/layout.ts'
import type { CacheContext } from './context.ts'

/**
 * Who else can write into the cache folder, or into the folders of an entry, as the end of a sentence that begins with the
 * folder. What they may have changed, together with its time, is not believed. Undefined where nobody can, or the system
 * has no such owners.
 */
export function whoElseWrites({ layout, origin }: CacheContext, entry?: EntryId): string | undefined {
  const user = process.geteuid?.()
  if (user === undefined) return undefined
  const places = entry
    ? [layout.repo(entry.repo), layout.snapshot(entry.repo, entry.snapshot), origin.repo(entry.repo)]
    : [layout.directory, layout.hub, layout.metadata, layout.origins, origin.hub]
  for (const place of places) {
    const stats = statsOf(place)
    const who = stats && whoElse(stats, user, layout)
    if (who) return `${place} ${who}`
  }
  return undefined
}

function whoElse({ uid, gid, mode }: Stats, user: number, layout: Layout): string | undefined {
  if (uid !== user && uid !== 0) return `belongs to another user (uid ${uid})`
  if (mode & 0o002) return 'can be written by every user'
  // Below a folder that the group can't enter, its rights mean nothing.
  if (mode & 0o020 && isOpenToGroup(layout) && !isOwnGroup(gid)) return `can be written by the group ${gid}`
  return undefined
}

function isOpenToGroup({ directory }: Layout): boolean {
  return ((statsOf(directory)?.mode ?? 0) & 0o010) !== 0
}

/** True for the group that many systems make for each user: of the same name, with nobody else in it. */
function isOwnGroup(gid: number): boolean {
  try {
    const { username } = userInfo()
    const groups = rowsOf('/etc/group').filter(([, , id]) => id === String(gid))
    const users = rowsOf('/etc/passwd').filter(([, , , id]) => id === String(gid))
    const isOurs = (name: string | undefined) => name === username || name === ''
    return (
      groups.length > 0 &&
      groups.every(([name, , , members = '']) => name === username && members.split(',').every(isOurs)) &&
      users.every(([name]) => name === username)
    )
  } catch {
    // A user without a name, or a system without these files: it can't be told who is in the group.
    return false
  }
}

function rowsOf(path: string): string[][] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.map((line) => line.trim().split(':'))
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (isSystemError(error)) return undefined
    throw error
  }
}

/** Says once what became of the files of a folder into which others can write. */
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
      : 'the Hub was not asked for the digests, so nothing could be checked: what is served may have been changed by others'
  context.warn(`${who}: ${what}. Make the folder yours alone (chown, chmod 700), or set MODEL_CACHE_DIR.`)
}
