import type { Digest } from '../../model/digest.ts'
import { isEndpoint } from '../../model/endpoint.ts'
import { type Access, type EntrySelection, isAccess } from '../../model/entry.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { parseHubPath } from '../../model/hub-path.ts'
import { type Fields, isObject, isText, isTexts } from '../../model/json.ts'
import { parseRepoId, type RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit, parseRevision } from '../../model/revision.ts'
import { compareText, parseFiles, printFiles } from '../../model/stated-files.ts'
import { isSameFile, type Tree } from '../../model/tree.ts'
import { isApiAnswerName } from '../store/own-names.ts'
import { refused } from './refusal.ts'

/** One model of an archive: a cached entry, and what its endpoint stated about it. */
export interface ArchivedModel {
  repo: RepoId
  /** The revision of the latest request. */
  revision: string
  commit: Commit
  /** The Hub that stated the digests. Undefined if the exporting cache does not know it. */
  endpoint: string | undefined
  access: Access
  /** The task that the repo's model card states. */
  task?: string
  /** The revisions that refer to the commit, each with the time at which the Hub said so (milliseconds since the epoch). */
  refs: Map<string, number>
  /** Former names of the repo, by which it may be asked for. */
  names: RepoId[]
  selections: EntrySelection[]
  /** The files whose content is in the archive. */
  files: Tree
  /** All files of the repo at the commit. Undefined if the exporting cache does not know them. */
  listing?: Tree
  /** Stored answers of the Hub's API, by the names of their files. */
  answers: Map<string, ArchivedAnswer>
}

export interface ArchivedAnswer {
  /** Milliseconds since the epoch. */
  at: number
  headers: Record<string, string>
  body: string
}

const VERSION = 1
const LONGEST_TEXT = 2000
/** Bytes of the list that are read. They are kept in memory. */
export const LARGEST_CONTENTS = 64 << 20

/** The text of an archive's first member. */
export function printContents(models: ArchivedModel[]): string {
  return `${JSON.stringify({ formatVersion: VERSION, models: models.map(printModel) }, null, 1)}\n`
}

function printModel({ endpoint, refs, files, listing, answers, ...model }: ArchivedModel): object {
  return {
    ...{
      ...model,
      endpoint: endpoint ?? null,
      refs: Object.fromEntries(refs),
      files: Object.fromEntries(printFiles(files)),
    },
    ...(listing && { listing: Object.fromEntries(printFiles(listing)) }),
    answers: Object.fromEntries(answers),
  }
}

/** The contents that an archive has, each once, in the order of the archive: those of the first model, then new ones of the next. */
export function blobsOf(models: ArchivedModel[]): Map<Digest, number> {
  return new Map(
    models.flatMap(({ files }) => sortedFiles(files).map(([, { digest, size }]) => [digest, size] as const)),
  )
}

/** The bytes of all contents. One that several files have counts once. */
export function bytesOf(models: ArchivedModel[]): number {
  return [...blobsOf(models).values()].reduce((sum, size) => sum + size, 0)
}

/** The files, sorted by path. */
export function sortedFiles<File>(files: ReadonlyMap<string, File>): [string, File][] {
  return [...files].sort(([a], [b]) => compareText(a, b))
}

/** Parses the first member of an archive, which is text from outside. `name` is that of the archive. Throws `ARCHIVE_REFUSED`. */
export function parseContents(text: string, name: string): ArchivedModel[] {
  const content = parseJson(text, name)
  if (!isObject(content)) throw refused(name, 'Its list of contents is not a JSON object.')
  const { formatVersion, models } = content
  if (typeof formatVersion === 'number' && formatVersion > VERSION)
    throw refused(
      name,
      `A newer version of vitest-model-cache wrote it: its \`formatVersion\` is ${formatVersion}, and ${VERSION} is known.`,
      'Update vitest-model-cache on this machine.',
    )
  if (formatVersion !== VERSION) throw refused(name, 'Its `formatVersion` is missing or no number that is known.')
  if (!Array.isArray(models)) throw refused(name, 'Its list of contents has no list `models`.')
  const parsed = models.map((model: unknown, index) => parseModel(model, index, name))
  const keys = parsed.map(({ repo, commit, endpoint }) => [repo, commit, endpoint].join('\n'))
  const twice = parsed.find((_, index) => keys.indexOf(keys[index] ?? '') !== index)
  if (twice) throw refused(name, `It lists ${twice.repo} at ${twice.commit.slice(0, 7)} twice.`)
  checkSizes(parsed, name)
  return parsed
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refused(name, `Its list of contents is not valid JSON: ${messageOf(error)}.`)
  }
}

/** One digest has one size. Otherwise the members of the archive would not be certain. */
function checkSizes(models: ArchivedModel[], name: string): void {
  const sizes = new Map<Digest, number>()
  for (const { digest, size } of models.flatMap(({ files }) => [...files.values()])) {
    if ((sizes.get(digest) ?? size) !== size) throw refused(name, `It lists ${digest} with two sizes.`)
    sizes.set(digest, size)
  }
}

function parseModel(value: unknown, index: number, name: string): ArchivedModel {
  const place = isObject(value) && isText(value.repo) ? value.repo.slice(0, 100) : `Model ${index + 1}`
  const wrong = (what: string) => refused(name, `${place}: ${what}`)
  if (!isObject(value)) throw wrong('it is not an object.')
  const { repo, revision, commit, endpoint, access, task, files, listing } = value
  if (!isText(repo) || !isText(revision)) throw wrong('`repo` or `revision` is missing.')
  if (!isText(commit) || !isCommit(commit)) throw wrong('`commit` is not a commit: 40 hexadecimal digits.')
  if (isCommit(revision) && revision !== commit) throw wrong('`revision` and `commit` are different commits.')
  if (endpoint !== null && !(isText(endpoint) && isEndpoint(endpoint)))
    throw wrong('`endpoint` is neither null nor an http or https URL.')
  if (!isAccess(access)) throw wrong('`access` must be public, gated, private or unknown.')
  if (task !== undefined && !isShortText(task)) throw wrong('`task` is not a text.')
  if (!isFields(files) || !(listing === undefined || isFields(listing)))
    throw wrong('`files` or `listing` is not an object.')
  try {
    const parsed = parseFiles(files, place, wrong)
    const all = listing && parseFiles(listing, place, wrong)
    const unlisted = all && [...parsed].find(([path, file]) => !isSameFile(file, all.get(path)))
    if (unlisted) throw wrong(`\`listing\` does not state ${JSON.stringify(unlisted[0])} as \`files\` does.`)
    return {
      ...{ repo: parseRepoId(repo), revision: parseRevision(revision, place), commit, access },
      ...{ endpoint: endpoint ?? undefined, ...(task !== undefined && { task }) },
      refs: readRefs(value.refs, place, wrong),
      names: readNames(value.names, wrong),
      selections: readSelections(value.selections, parsed, place, wrong),
      ...{ files: parsed, ...(all && { listing: all }) },
      answers: readAnswers(value.answers, wrong),
    }
  } catch (error) {
    if (error instanceof ModelCacheError && error.code !== 'ARCHIVE_REFUSED') throw wrong(error.reason)
    throw error
  }
}

type Wrong = (what: string) => ModelCacheError

function readRefs(refs: unknown, place: string, wrong: Wrong): Map<string, number> {
  if (!isFields(refs)) throw wrong('`refs` is not an object.')
  return new Map(
    Object.entries(refs).map(([revision, at]) => {
      if (!isTime(at) || isCommit(revision)) throw wrong('`refs` must have the names of branches or tags, and times.')
      return [parseRevision(revision, place), at]
    }),
  )
}

function readNames(names: unknown, wrong: Wrong): RepoId[] {
  if (!isTexts(names)) throw wrong('`names` is not a list of names.')
  return names.map((name) => parseRepoId(name))
}

function readSelections(value: unknown, files: Tree, place: string, wrong: Wrong): EntrySelection[] {
  if (!Array.isArray(value)) throw wrong('`selections` is not a list.')
  return value.map((selection: unknown) => {
    const { key, files: paths, used } = isFields(selection) ? selection : {}
    if (!isText(key) || !isTexts(paths) || typeof used !== 'boolean') throw wrong('a selection is malformed.')
    const parsed = paths.map((path) => parseHubPath(path, place))
    if (!parsed.every((path) => files.has(path))) throw wrong('a selection names a file that is not in the archive.')
    return { key, files: parsed, used }
  })
}

function readAnswers(value: unknown, wrong: Wrong): Map<string, ArchivedAnswer> {
  if (!isFields(value)) throw wrong('`answers` is not an object.')
  return new Map(
    Object.entries(value).map(([name, answer]) => {
      const { at, headers, body } = isFields(answer) ? answer : {}
      if (!isApiAnswerName(name) || !isTime(at) || !isTextFields(headers) || !isText(body))
        throw wrong('a stored answer of the API is malformed.')
      return [name, { at, headers, body }]
    }),
  )
}

function isFields(value: unknown): value is Fields {
  return isObject(value) && !Array.isArray(value)
}

function isTextFields(value: unknown): value is Record<string, string> {
  return isFields(value) && Object.values(value).every(isText)
}

function isShortText(value: unknown): value is string {
  return isText(value) && value.length <= LONGEST_TEXT
}

/** True for a moment that a file can have as its time. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15
}
