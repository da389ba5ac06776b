import { readFileSync, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import process from 'node:process'
import type { EntryId } from '../../model/entry.ts'
import { isSystemError } from '../../model/errors.ts'
import type { Layout } from './layout.ts'
import type { Origin } from './origin.ts'

/**
 * Who else can write into the cache folder, or with `entry` into the folders of that entry: a path and the reason, such as `/cache can
 * be written by every user`. Another user can change a file and set its old time again, so size and time prove nothing. Undefined
 * when nobody else can write, and on systems whose files have no owners.
 */
export function whoElseWrites(
  { layout, origin }: { layout: Layout; origin: Origin },
  entry?: EntryId,
): string | undefined {
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
  // When the group can't enter the cache folder, its rights below that folder have no effect.
  if (mode & 0o020 && isOpenToGroup(layout) && !isOwnGroup(gid)) return `can be written by the group ${gid}`
  return undefined
}

function isOpenToGroup({ directory }: Layout): boolean {
  return ((statsOf(directory)?.mode ?? 0) & 0o010) !== 0
}

/** True for the user's private group, which many systems create: it has the user's name and no other members. */
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
    // The user has no name, or the system does not have these files: the group's members are unknown.
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
