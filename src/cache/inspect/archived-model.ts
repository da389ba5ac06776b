import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry } from '../../model/entry.ts'
import { isObject, isText } from '../../model/json.ts'
import type { LockedModel } from '../../model/lock-file.ts'
import { isSameFile, statedFile, type Tree } from '../../model/tree.ts'
import { originals } from '../../platform/originals.ts'
import type { ArchivedAnswer, ArchivedModel } from '../archive/contents.ts'
import type { CacheContext } from '../context/context.ts'
import { findLocked } from '../lookup/locked.ts'
import { importedOrigins } from '../store/answers/imported-answers.ts'
import { allRefs } from '../store/answers/refs.ts'
import { formerNames } from '../store/answers/renames.ts'
import { readTree } from '../store/answers/trees.ts'
import type { RepoFolders } from '../store/layout.ts'
import { entriesIn, valid } from '../store/list-folder.ts'
import { Origin } from '../store/origin.ts'
import { isApiAnswerName } from '../store/own-names.ts'

/** What an archive says about cached entries: all that another cache needs to serve them offline as this one does. */
export async function archivedModels(context: CacheContext, entries: Entry[]): Promise<ArchivedModel[]> {
  const models: ArchivedModel[] = []
  for (const entry of entries) {
    const model = await archivedModel(context, entry)
    // An archive has a commit once for each endpoint: as the entry of the endpoint itself, if there is one.
    const isRepeated = entries.some(
      (other) =>
        other !== entry &&
        other.repo === model.repo &&
        other.commit === model.commit &&
        other.endpoint === model.endpoint,
    )
    models.push(isRepeated ? { ...model, endpoint: undefined } : model)
  }
  return models
}

async function archivedModel(context: CacheContext, entry: Entry): Promise<ArchivedModel> {
  const { repo, revision, commit, access, task, selections } = entry
  const { origin, listing, locked } = await statementOf(context, entry)
  const refs = await refsOf(origin ?? context.layout, entry)
  if (locked) refs.set(locked.revision, originals.now())
  return {
    ...{ repo, revision, commit, access: access === 'unknown' ? (locked?.access ?? access) : access },
    ...{ endpoint: origin?.endpoint ?? locked?.endpoint, ...(task !== undefined && { task }) },
    refs: new Map([...refs].filter(([name]) => name !== commit)),
    names: origin ? formerNames(origin.renames, repo) : [],
    // A selection can name a file that the entry has lost. `import` would refuse it.
    selections: selections.filter(({ files }) => files.every((path) => entry.files.has(path))),
    files: new Map([...entry.files].map(([path, { digest, size }]) => [path, statedFile(digest, size)])),
    ...(listing && { listing }),
    answers: origin ? answersOf(origin.apiAnswers(repo)) : new Map(),
  }
}

interface Statement {
  /** The stored answers of the endpoint, or what an earlier archive stated about it. */
  origin?: Origin
  listing?: Tree
  locked?: LockedModel
}

/** Who stated the files of an entry: its endpoint, else an archive, else the lock file. Nothing for what another tool has downloaded. */
async function statementOf(context: CacheContext, { repo, commit, endpoint, files }: Entry): Promise<Statement> {
  const { layout } = context
  const states = (tree: Tree | undefined) =>
    tree && [...files].every(([path, file]) => isSameFile(file, tree.get(path))) ? tree : undefined
  if (endpoint !== undefined) {
    const origin = new Origin(layout, endpoint)
    return { origin, listing: states(await readTree(origin, repo, commit)) }
  }
  for (const origin of importedOrigins(layout, context.origin.endpoint)) {
    const listing = states(await readTree(origin, repo, commit))
    if (listing) return { origin, listing }
  }
  const locked = findLocked(context, { repo, revision: commit })
  const listing = states(locked?.files)
  return listing ? { locked, listing } : {}
}

async function refsOf(folder: RepoFolders, { repo, commit }: Entry): Promise<Map<string, number>> {
  const refs = (await allRefs(folder, repo)).filter((ref) => ref.commit === commit)
  return new Map(refs.map(({ revision }) => [revision, Math.round(statSync(folder.ref(repo, revision)).mtimeMs)]))
}

// One answer of the API is some kilobytes. A larger one is left out: it would have to be kept in memory.
const LARGEST_ANSWER = 1 << 20

function answersOf(folder: string): Map<string, ArchivedAnswer> {
  const names = entriesIn(folder).flatMap(({ name }) => (isApiAnswerName(name) ? [name] : []))
  return new Map(
    names.sort().flatMap((name): [string, ArchivedAnswer][] => {
      const answer = valid(() => readAnswer(join(folder, name)))
      return answer ? [[name, answer]] : []
    }),
  )
}

/** Undefined for a damaged file. */
function readAnswer(path: string): ArchivedAnswer | undefined {
  const { size, mtimeMs } = statSync(path)
  const answer: unknown = size > LARGEST_ANSWER ? undefined : JSON.parse(readFileSync(path, 'utf8'))
  if (!isObject(answer) || !isObject(answer.headers) || !isText(answer.body)) return undefined
  const headers = Object.entries(answer.headers).filter((field): field is [string, string] => isText(field[1]))
  return { at: Math.round(mtimeMs), headers: Object.fromEntries(headers), body: answer.body }
}
