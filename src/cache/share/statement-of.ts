import type { Access, Entry } from '../../model/entry.ts'
import { isCommit } from '../../model/revision.ts'
import type { Tree } from '../../model/tree.ts'
import { originals } from '../../platform/originals.ts'
import type { Listing } from '../../remote/listing.ts'
import type { CacheContext } from '../context/context.ts'
import { findLocked } from '../lookup/locked.ts'
import { storedTree } from '../lookup/stored-answers.ts'
import { allRefs } from '../store/answers/refs.ts'
import { type RepoInfo, readRepoInfo } from '../store/answers/repo-info.ts'
import { readTree } from '../store/answers/trees.ts'
import { Origin } from '../store/origin.ts'
import { whoElseWrites } from '../store/shared-folder.ts'
import type { LocalFile } from './verified-body.ts'

/** What is known of a cached model, by which it can be shared. */
export interface Statement {
  endpoint: string
  access: Access
  /** The cached files that are stated, each content once. */
  files: LocalFile[]
  /** Undefined if only a lock file or a record states the files: what it states is believed here, and must not be believed elsewhere. */
  listing: Listing | undefined
  /** The revisions that the endpoint stated for the commit, with the time when it was asked: milliseconds since 1970. */
  refs: { revision: string; atMs: number }[]
}

/** What is stated of an entry, or why it can't be shared: a sentence. */
export async function statementOf(context: CacheContext, entry: Readonly<Entry>): Promise<Statement | string> {
  const endpoint = entry.endpoint ?? context.origin.endpoint
  const origin = new Origin(context.layout, endpoint)
  // Also with `validate: 'none'`: that is a choice for this machine, not for others.
  const writer =
    whoElseWrites({ layout: context.layout, origin }) ?? whoElseWrites({ layout: context.layout, origin }, entry)
  const own = writer === undefined ? await ownWord(context, origin, entry) : undefined
  const isOurs = endpoint === context.origin.endpoint
  const locked = isOurs ? findLocked(context, { repo: entry.repo, revision: entry.commit }) : undefined
  const recorded = writer === undefined && entry.endpoint !== undefined ? entry.files : undefined
  const stated = own?.tree ?? locked?.files ?? recorded
  if (writer !== undefined && !stated) return `Nothing is proof of its files here: ${writer}.`
  if (!stated) return 'It is not known which Hub stated its files.'
  const files = new Map(
    [...entry.files]
      .filter(([path, file]) => stated.get(path)?.digest === file.digest && stated.get(path)?.size === file.size)
      .map(([path, { digest, size }]) => {
        return [
          digest,
          { path: context.layout.file(entry.repo, entry.snapshot, path), name: path, digest, size },
        ] as const
      }),
  )
  const access = mostRestricted([own?.info?.access, locked?.access, entry.access])
  const { repo, commit } = entry
  const task = own?.info?.task ?? entry.task
  return {
    ...{ endpoint, access, files: [...files.values()] },
    listing: own && { endpoint, repo, commit, access, task, files: own.tree },
    refs: own ? await refsOf(origin, entry) : [],
  }
}

/** Why a model of this access is not shared: a sentence. Undefined if it may be shared. */
export function reasonOfAccess({ options }: CacheContext, access: Access): string | undefined {
  if (access === 'public' || options.remote?.uploadPrivate) return undefined
  const what = access === 'unknown' ? 'It is not known who may read it' : `It is ${access}`
  return `${what}, and \`uploadPrivate\` is not set.`
}

/** What the endpoint itself stated about the commit. */
async function ownWord(
  context: CacheContext,
  origin: Origin,
  { repo, commit }: Readonly<Entry>,
): Promise<{ tree: Tree; info: RepoInfo | undefined } | undefined> {
  const isOurs = origin.endpoint === context.origin.endpoint
  const tree = isOurs ? await storedTree(context, repo, commit) : await readTree(origin, repo, commit)
  return tree && { tree, info: readRepoInfo(origin, repo, commit) }
}

async function refsOf(origin: Origin, { repo, commit }: Readonly<Entry>): Promise<Statement['refs']> {
  const refs = await allRefs(origin, repo)
  const now = originals.now()
  return refs
    .filter((ref) => ref.commit === commit && !isCommit(ref.revision))
    .map(({ revision, ageMs }) => ({ revision, atMs: Math.round(now - ageMs) }))
}

/** One that is not public counts, whoever says so. */
function mostRestricted(stated: (Access | undefined)[]): Access {
  const known = stated.filter((access) => access !== undefined && access !== 'unknown')
  return known.find((access) => access !== 'public') ?? known[0] ?? 'unknown'
}
