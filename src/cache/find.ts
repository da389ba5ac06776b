import { type Entry, entryKey } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type Model, modelLabel, parseModel } from '../model/model.ts'
import { snapshotOf } from '../model/snapshot.ts'
import type { CacheContext } from './context/context.ts'
import { listEntries } from './lookup/list-entries.ts'
import { findLocked } from './lookup/locked.ts'
import { currentRepoId } from './lookup/stored-answers.ts'
import { nameMatcher } from './selection/glob.ts'
import { readRef } from './store/answers/refs.ts'
import { Origin } from './store/origin.ts'

// Like git: a shorter prefix fits too many commits.
const COMMIT_PREFIX = /^[0-9a-f]{4,40}$/

/**
 * Finds the entries of models: all entries of a repo, or the one at a revision. For an entry, finds its current record. Throws
 * `MODEL_NOT_FOUND` for the first model that has no entry.
 */
export async function findEntries(context: CacheContext, models: (Model | Entry)[]): Promise<Entry[]> {
  const all = await listEntries(context)
  const byKey = new Map(all.map((entry) => [entryKey(entry), entry]))
  const found = models.map((model) =>
    'commit' in model ? currentRecord(context, model, byKey) : findOne(context, model, all),
  )
  return [...new Set((await Promise.all(found)).flat())]
}

/** The current record of an entry. */
async function currentRecord(context: CacheContext, entry: Entry, all: ReadonlyMap<string, Entry>): Promise<Entry> {
  return all.get(entryKey(entry)) ?? notFound(context, modelLabel(entry))
}

/**
 * Finds entries by names as people write them: `[org/]name[@revision]`, the first digits of a commit (also after the `@`), or a
 * glob over the repos such as `Xenova/*`. Throws `MODEL_NOT_FOUND` for the first name without an entry, and `INVALID_MODEL` for
 * digits with which several commits begin.
 */
export async function findNamed(context: CacheContext, names: string[]): Promise<Entry[]> {
  const all = await listEntries(context)
  const found = await Promise.all(names.map((name) => findByName(context, name, all)))
  return [...new Set(found.flat())]
}

async function findOne(context: CacheContext, model: Model, all: Entry[]): Promise<Entry[]> {
  const current = await currentRepoId(context, model.repo)
  // A repo that was renamed at the Hub may still have its old name here.
  const ofRepo = all.filter(({ repo }) => repo === model.repo || repo === current.repo)
  const found = await atRevision(context, ofRepo, model.revision)
  return found.length > 0 ? found : notFound(context, modelLabel(model))
}

async function findByName(context: CacheContext, name: string, all: Entry[]): Promise<Entry[]> {
  const at = name.indexOf('@')
  const [repo, revision] = at === -1 ? [name, 'main'] : [name.slice(0, at), name.slice(at + 1)]
  const found = isGlob(repo)
    ? await atRevision(context, all.filter(globOver(repo)), revision)
    : at === -1 && COMMIT_PREFIX.test(name) && !all.some((entry) => entry.repo === name)
      ? onlyOne(name, byCommit(all, name))
      : await findOne(context, parseModel(name), all)
  return found.length > 0 ? found : notFound(context, name)
}

/** The entries at a revision, by the refs of their endpoints. For `main`, all of them. */
async function atRevision(context: CacheContext, entries: Entry[], revision: string): Promise<Entry[]> {
  if (revision === 'main') return entries
  const found: Entry[] = []
  for (const entry of entries) if (await isAt(context, entry, revision)) found.push(entry)
  if (found.length > 0 || !COMMIT_PREFIX.test(revision)) return found
  return onlyOne(revision, byCommit(entries, revision))
}

/**
 * True when the revision refers to the commit of the entry, by the lock file or by the refs of its endpoint. For entries of unknown
 * origin or of earlier versions, the ref in `hub/` counts.
 */
export async function isAt(context: CacheContext, entry: Entry, revision: string): Promise<boolean> {
  const { repo, commit, snapshot, endpoint } = entry
  if (findLocked(context, { repo, revision })?.commit === commit) return true
  const { layout } = context
  const own = endpoint === undefined ? undefined : await readRef(new Origin(layout, endpoint), repo, revision)
  if (own) return own.commit === commit
  return snapshot === snapshotOf(commit) && (await readRef(layout, repo, revision))?.commit === commit
}

/** The entries that fit a pattern: a glob over repos, the first digits of a commit, or a name. Pure. Never throws. */
export function matchEntries(pattern: string, entries: Entry[]): Entry[] {
  if (isGlob(pattern)) return entries.filter(globOver(pattern))
  const named = entries.filter((entry) => entry.repo === pattern || modelLabel(entry) === pattern)
  return named.length > 0 || !COMMIT_PREFIX.test(pattern) ? named : byCommit(entries, pattern)
}

export function isGlob(name: string): boolean {
  return /[*?[\]{}()!]/.test(name)
}

function globOver(pattern: string): (entry: Entry) => boolean {
  const matches = nameMatcher(pattern)
  return ({ repo }) => matches(repo)
}

function byCommit(entries: Entry[], prefix: string): Entry[] {
  return entries.filter(({ commit }) => commit.startsWith(prefix))
}

function onlyOne(prefix: string, found: Entry[]): Entry[] {
  if (found.length < 2) return found
  const which = found.map(({ repo, commit }) => `${repo}@${commit.slice(0, 12)}`).join(', ')
  throw new ModelCacheError({
    code: 'INVALID_MODEL',
    asked: `Commit ${prefix}`,
    reason: `Several commits begin with it: ${which}.`,
    nextStep: 'Write more digits, or one of these names.',
  })
}

function notFound(context: CacheContext, name: string): never {
  throw new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: `Model ${name}`,
    reason: `It is not in the cache ${context.layout.directory}.`,
    nextStep: '`npx vitest-model-cache ls` lists the cached models.',
  })
}
