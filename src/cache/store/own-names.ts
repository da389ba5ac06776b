import { digestOfBlobName } from '../../model/digest.ts'
import { isCommit } from '../../model/revision.ts'
import { randomBytes } from '../../platform/late-crypto.ts'
import { originals } from '../../platform/originals.ts'

// The names that the cache gives to its files. A file with another name is deleted only when a record, a listing or its content shows
// that it belongs to the cache.

/** A name beside `path` that no other writer uses. */
export function uniqueBeside(path: string, suffix: string): string {
  return `${path}.${originals.pid}-${randomBytes(6).toString('hex')}.${suffix}`
}

/** A file or folder that was moved aside to be deleted. */
export function isAsideName(name: string): boolean {
  return /^removed\.\d+-[0-9a-f]{12}\.tmp$/.test(name)
}

/** The folder in `incoming` that has the moved-aside files of one repo. */
export function isAsideContainer(name: string): boolean {
  return /^[\w.%~-]+\.aside$/.test(name)
}

/** The lock that a process holds while it removes the lock of a dead process. */
export function isTakeoverLockName(name: string): boolean {
  return /^[\w.%~-]+\.lock(\.takeover)+$/.test(name)
}

/** A temporary file, or a file or folder that was moved aside. */
export function isTemporaryName(name: string): boolean {
  return /\.\d+-[0-9a-f]{12}\.tmp(\.link\.tmp)?$/.test(name)
}

/** An unfinished download. */
export function isIncompleteName(name: string): boolean {
  return /^[0-9a-z]+\.\d+-[0-9a-f]{12}\.incomplete$/.test(name)
}

/** An unfinished download, or the note beside it. */
export function isIncompleteOrNoteName(name: string): boolean {
  return isIncompleteName(name.replace(/\.json$/, ''))
}

/** The lease of one thread of a run. */
export function isLeaseName(name: string): boolean {
  return /^[\w-]+\.\d+-\d+\.json$/.test(name)
}

/** The record of a run: the run's id and a hash of its project. */
export function isRunRecordName(name: string): boolean {
  return /^[0-9a-z]+-[\w-]+\.[0-9a-f]{12}\.json$/.test(name)
}

/** What was read in the source files of a project. */
export function isSourcesName(name: string): boolean {
  return /^[0-9a-f]{12}\.json$/.test(name)
}

/** The folder of a run in `events/`. */
export function isRunId(name: string): boolean {
  return /^[0-9a-z]+-\d+-[0-9a-f]{6}$/.test(name)
}

/**
 * A file in the folder of a run in `events/`: a manifest, the mark of a remote or of a model on its way, the settings of a project's
 * workers, the report of a test file, or the events of one thread of a child process.
 */
export function isEventsName(name: string): boolean {
  return (
    /^([0-9a-f]{12}\.)?manifest\.json$/.test(name) ||
    name === 'remote.json' ||
    /^[0-9a-f]{12}-\d+\.pending$/.test(name) ||
    isTemporaryName(name) ||
    /^settings-\w+\.json$/.test(name) ||
    isReportName(name.replace(/\.new$/, '')) ||
    /^[0-9a-f]{12}-\d+-\d+\.jsonl(\.new)?$/.test(name)
  )
}

/** The report of a test file, in the folder of a run in `events/`. */
export function isReportName(name: string): boolean {
  return /^[0-9a-f]{12}-\d+\.report\.json$/.test(name)
}

/** A stored answer of the Hub's API. */
export function isApiAnswerName(name: string): boolean {
  return /^[0-9a-f]{32}\.json$/.test(name)
}

/** A blob of a Hugging Face cache, or an unfinished blob of any tool. */
export function isBlobName(name: string): boolean {
  const [digest = '', ...rest] = name.split('.')
  const isUnfinished = rest.at(-1) === 'incomplete' || isTemporaryName(name)
  return digestOfBlobName(digest) !== undefined && (rest.length === 0 || isUnfinished)
}

const SKELETON_ENDING = '.mapped.onnx'

/** The skeleton of a blob, in the blob's folder: an ONNX file whose weights are in the blob. */
export function skeletonNameOf(blobName: string): string {
  return `${blobName}${SKELETON_ENDING}`
}

/** The name of the blob of a skeleton. Undefined for a name that is no skeleton's. */
export function blobOfSkeleton(name: string): string | undefined {
  if (!name.endsWith(SKELETON_ENDING)) return undefined
  const blobName = name.slice(0, -SKELETON_ENDING.length)
  return digestOfBlobName(blobName) && blobName
}

/** A file with the chunks of packed models. */
export function isPackName(name: string): boolean {
  return /^[0-9a-f]{24}\.pack$/.test(name)
}

/** The record of a packed model: the folder of the repo, and the snapshot. */
export function isPackedModelName(name: string): boolean {
  return /^models--.+@[0-9a-f]{40}\.json$/.test(name)
}

/** The stored listing of a commit. */
export function isTreeName(name: string): boolean {
  return name.endsWith('.json') && isCommit(name.slice(0, -'.json'.length))
}

/** The folder of one version of Node.js in `compile/`, as Node.js names it: version, architecture, V8's version and flags, user. */
export function isCompileFolderName(name: string): boolean {
  return /^v\d+\.\d+\.\d+[\w.-]*-[0-9a-f]{8}(-\d+)?$/.test(name)
}

/** The compiled code of one module, as Node.js names it, or its temporary file. */
export function isCompiledName(name: string): boolean {
  return /^[0-9a-f]{8}(\.cache)?$/.test(name) || isCompilingName(name)
}

/** The temporary file in which Node.js writes the compiled code of one module. */
export function isCompilingName(name: string): boolean {
  return /^[0-9a-f]{8}(\.cache)?\.\w{6}$/.test(name)
}
