import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../../model/json.ts'
import type { Layout } from './layout.ts'
import { isTemporaryName } from './own-names.ts'

// https://bford.info/cachedir/: tells backup tools to leave the folder out.
export const CACHEDIR_TAG = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by vitest-model-cache.
`

/** What lies in an empty folder, too: no user would miss it, and the cache never deletes it. */
const HARMLESS = ['.gitignore', '.gitkeep', '.keep', '.DS_Store', 'desktop.ini', 'Thumbs.db', 'lost+found']
const OWN_FILES = ['cache.json', 'CACHEDIR.TAG', 'cache_metadata.json']
const OWN_LOCK = /^cache_metadata\.json\.lock(\.takeover)*$/
const OWN_FOLDERS = ['hub', 'cold', 'incoming', 'leases', 'events', 'runs', 'renames', 'origins', 'api']

/** True for a folder in which nothing is that anybody could miss. `hub` may be a link to such a folder. Throws `ENOENT` where there is none. */
export function holdsNothing({ directory }: Layout): boolean {
  const isRoom = (entry: Dirent) => isOwn(entry) && !entry.isFile()
  return thingsIn(directory).every((entry) => isRoom(entry) && thingsIn(join(directory, entry.name)).length === 0)
}

/**
 * True for a cache of ours whose mark was lost, or never written because of a kill: it holds nothing but what we name, and one file
 * that is surely ours. Names alone prove nothing: a project may have folders `hub`, `events` and `api`.
 */
export function hasLostItsMark(layout: Layout): boolean {
  return thingsIn(layout.directory).every(isOwn) && (isTagged(layout) || hasRecords(layout) || isCutOff(layout))
}

function thingsIn(folder: string): Dirent[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.filter((entry) => !HARMLESS.includes(entry.name) && !(entry.isFile() && isTemporaryName(entry.name)))
}

function isOwn(entry: Dirent): boolean {
  const { name } = entry
  if (entry.isFile()) return OWN_FILES.includes(name) || OWN_LOCK.test(name)
  return entry.isDirectory() ? OWN_FOLDERS.includes(name) : entry.isSymbolicLink() && name === 'hub'
}

function isTagged({ tag }: Layout): boolean {
  return textOf(tag) === CACHEDIR_TAG
}

/** Also an empty list: an earlier version wrote one where the cache folder had been removed during a run. */
function hasRecords({ metadata }: Layout): boolean {
  try {
    const records: unknown = JSON.parse(textOf(metadata) ?? '')
    return Array.isArray(records) && records.every(isRecord)
  } catch {
    return false
  }
}

function isRecord(record: unknown): boolean {
  return isObject(record) && ['repo', 'commit', 'originalURL', 'checksum', 'files'].every((field) => field in record)
}

/** After a loss of power: both files are there, and neither reached the disk as a whole. */
function isCutOff({ tag, marker }: Layout): boolean {
  const isStartOf = (whole: string, text: string | undefined) => text !== undefined && whole.startsWith(text)
  const written = [tag, marker].map((path) => textOf(path)?.replaceAll('\0', ''))
  return isStartOf(CACHEDIR_TAG, written[0]) && isStartOf('{"format":1}\n', written[1])
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
