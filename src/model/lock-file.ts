import { createHash } from 'node:crypto'
import { isEndpoint } from './endpoint.ts'
import { type Access, isAccess } from './entry.ts'
import { ModelCacheError, messageOf } from './errors.ts'
import { isObject, isText } from './json.ts'
import { parseRepoId, type RepoId } from './repo-id.ts'
import { type Commit, isCommit, parseRevision } from './revision.ts'
import { compareText, parseFiles, printFiles } from './stated-files.ts'
import type { Tree } from './tree.ts'

/** One model of a lock file: what its endpoint stated about a revision when the model was locked. */
export interface LockedModel {
  /** The name by which the repo was asked for. */
  repo: RepoId
  /** The repo's id at the endpoint. It differs from `repo` if the repo was renamed, or if `repo` is written in another case. */
  id: RepoId
  /** The revision that was asked for. */
  revision: string
  commit: Commit
  /** The Hub to which the statement belongs, without a slash at the end. */
  endpoint: string
  access: Access
  /** The task that the repo's model card states. */
  task?: string
  /** All files of the repo at the commit. */
  files: Tree
}

export interface LockFile {
  /** The address of a JSON Schema that the user added for an editor. */
  schema?: string
  models: LockedModel[]
}

const VERSION = 1
const LONGEST_TEXT = 2000
const CONFLICT = /^(<{7}|={7}|>{7}|\|{7})( |\r?$)/m

/**
 * The text of a lock file. Models and files are sorted, and each file has a line of its own. Formatters keep it as it is, because it
 * is what `JSON.stringify` writes.
 */
export function printLockFile({ schema, models }: LockFile): string {
  const sorted = [...models].sort((a, b) => compareText(keyOf(a), keyOf(b)))
  const content = {
    ...(schema !== undefined && { $schema: schema }),
    lockfileVersion: VERSION,
    models: sorted.map(printModel),
  }
  return `${JSON.stringify(content, null, 2)}\n`
}

function printModel(model: LockedModel): object {
  const { repo, id, revision, commit, endpoint, access, task, files } = model
  return {
    ...{ repo, ...(id !== repo && { id }), revision, commit, endpoint, access },
    ...(task !== undefined && { task }),
    checksum: checksumOf(model),
    files: Object.fromEntries(printFiles(files)),
  }
}

/** A digest over all that is stated of a model. It shows when a merge has mixed the files of two commits. */
function checksumOf({ repo, id, revision, commit, endpoint, access, task, files }: LockedModel): string {
  const stated = [repo, id, revision, commit, endpoint, access, task ?? null, printFiles(files)]
  return createHash('sha256').update(JSON.stringify(stated)).digest('hex')
}

function keyOf({ repo, revision, endpoint }: LockedModel): string {
  return [repo, revision, endpoint].join('\n')
}

/** Parses a lock file. `name` is its path, for messages. Throws `LOCK_BROKEN`: the error says what is wrong and where. */
export function parseLockFile(text: string, name: string): LockFile {
  const conflict = CONFLICT.exec(text)
  if (conflict) throw inConflict(name, text.slice(0, conflict.index).split('\n').length)
  const content = parseJson(text, name)
  if (!isObject(content)) throw broken(name, 'It is not a JSON object.')
  const { $schema: schema, lockfileVersion, models } = content
  if (typeof lockfileVersion === 'number' && lockfileVersion > VERSION) throw newer(name, lockfileVersion)
  if (lockfileVersion !== VERSION) throw broken(name, '`lockfileVersion` is missing or no number that is known.')
  if (!Array.isArray(models)) throw broken(name, '`models` is not a list.')
  if (hasRepeatedKey(text, content)) throw broken(name, 'A field or a file stands twice in one model.')
  const parsed = models.map((model, index) => parseModel(model, index, name))
  const keys = parsed.map(keyOf)
  const twice = parsed.find((model, index) => keys.indexOf(keyOf(model)) !== index)
  if (twice) throw broken(name, `${labelOf(twice)} stands in it twice.`)
  return { ...(isText(schema) && { schema }), models: parsed }
}

function parseJson(text: string, name: string): unknown {
  try {
    // Some editors write a byte order mark.
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw broken(name, `It is not valid JSON: ${messageOf(error)}.`)
  }
}

/** JSON.parse keeps the last of several equal keys. So a text with more keys than the parsed value has a key twice. */
function hasRepeatedKey(text: string, content: unknown): boolean {
  const keys = [...text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined)
  return keys.length !== countKeys(content)
}

function countKeys(value: unknown): number {
  if (!isObject(value)) return 0
  const own = Array.isArray(value) ? 0 : Object.keys(value).length
  return Object.values(value).reduce((sum: number, item) => sum + countKeys(item), own)
}

function parseModel(value: unknown, index: number, name: string): LockedModel {
  const place = isObject(value) && isText(value.repo) ? value.repo.slice(0, 100) : `Model ${index + 1}`
  const wrong = (what: string) => broken(name, `${place}: ${what}`)
  if (!isObject(value)) throw wrong('it is not an object.')
  const { repo, id = repo, revision, commit, endpoint, access, task, checksum, files } = value
  if (!isText(repo) || !isText(id) || !isText(revision)) throw wrong('`repo` or `revision` is missing.')
  if (!isText(commit) || !isCommit(commit)) throw wrong('`commit` is not a commit: 40 hexadecimal digits.')
  if (isCommit(revision) && revision !== commit) throw wrong('`revision` and `commit` are different commits.')
  if (!isText(endpoint) || !isEndpoint(endpoint)) throw wrong('`endpoint` is not an http or https URL.')
  if (!isAccess(access) || access === 'unknown') throw wrong('`access` must be public, gated or private.')
  if (task !== undefined && !(isText(task) && task.length <= LONGEST_TEXT)) throw wrong('`task` is not a text.')
  if (!isObject(files) || Array.isArray(files)) throw wrong('`files` is not an object.')
  try {
    const stated = { commit, endpoint, access, ...(task !== undefined && { task }) }
    const names = { repo: parseRepoId(repo), id: parseRepoId(id), revision: parseRevision(revision, place) }
    const model = { ...names, ...stated, files: parseFiles(files, place, wrong) }
    if (checksum !== checksumOf(model))
      throw wrong('its checksum does not fit to the rest: it was edited by hand, or a merge has mixed two versions.')
    return model
  } catch (error) {
    if (error instanceof ModelCacheError && error.code !== 'LOCK_BROKEN') throw wrong(error.reason)
    throw error
  }
}

function labelOf({ repo, revision }: LockedModel): string {
  return `${repo}@${revision}`
}

export function broken(name: string, reason: string, cause?: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'LOCK_BROKEN',
    asked: `Lock file ${name}`,
    reason,
    nextStep: 'Take the file from git again, or delete it; then run `npx vitest-model-cache lock`.',
    cause,
  })
}

function inConflict(name: string, line: number): ModelCacheError {
  return new ModelCacheError({
    code: 'LOCK_BROKEN',
    asked: `Lock file ${name}`,
    reason: `It has the marks of a merge conflict, the first in line ${line}.`,
    nextStep: 'Take one side (`git checkout --ours` or `--theirs`), then run `npx vitest-model-cache lock`.',
  })
}

function newer(name: string, version: number): ModelCacheError {
  return new ModelCacheError({
    code: 'LOCK_BROKEN',
    asked: `Lock file ${name}`,
    reason: `A newer version of vitest-model-cache wrote it: its \`lockfileVersion\` is ${version}, and ${VERSION} is known.`,
    nextStep: 'Update vitest-model-cache.',
  })
}
