import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../../model/json.ts'
import type { Layout } from './layout.ts'
import { isTemporaryName } from './own-names.ts'

// https://bford.info/cachedir/: backup tools skip a folder that has this file.
export const CACHEDIR_TAG = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by vitest-model-cache.
`

/** Names that do not make a folder count as used: no user would miss these files. The cache never deletes them. */
const HARMLESS = ['.gitignore', '.gitkeep', '.keep', '.DS_Store', 'desktop.ini', 'Thumbs.db', 'lost+found']
const OWN_FILES = ['cache.json', 'CACHEDIR.TAG', 'cache_metadata.json', 'maintenance.json']
const OWN_LOCK = /^cache_metadata\.json\.lock(\.takeover)*$/
const OWN_FOLDERS = ['hub', 'cold', 'incoming', 'leases', 'events', 'runs', 'renames', 'origins', 'api']

/**
 * True for a folder that is empty but for harmless files and empty folders of a cache. `hub` may be a link to such a folder. Throws
 * `ENOENT` when the folder is absent.
 */
export function holdsNothing({ directory }: Layout): boolean {
  const isOwnFolder = (entry: Dirent) => isOwn(entry) && !entry.isFile()
  return entriesOf(directory).every(
    (entry) => isOwnFolder(entry) && entriesOf(join(directory, entry.name)).length === 0,
  )
}

/**
 * True for a cache folder whose marker file was lost, or was not written because the process was killed. Such a folder has only names
 * that a cache has, and one file whose content is certainly ours. Names alone prove nothing: a project may have folders `hub`,
 * `events` and `api`.
 */
export function hasLostMarker(layout: Layout): boolean {
  return entriesOf(layout.directory).every(isOwn) && (isTagged(layout) || hasRecords(layout) || isCutOff(layout))
}

function entriesOf(folder: string): Dirent[] {
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

/** True for a list of records, also an empty one: an earlier version wrote that after the cache folder was removed during a run. */
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

/** True after a loss of power: both files exist, and neither of them is complete. */
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
