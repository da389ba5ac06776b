import * as v from 'valibot'
import type { Access } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseRepoId, type RepoId } from '../model/repo-id.ts'
import { type Commit, parseCommit } from '../model/revision.ts'
import { addToTree, type Tree } from '../model/tree.ts'
import type { Fetch, FetchInit } from './fetch.ts'
import { explainHubError, type HubAccess, hubFetch } from './http.ts'
import { withRetry } from './retry.ts'
import { underStallWatch } from './stall-watch.ts'

/** A repo at one commit, as the Hub states it. */
export interface HubModel {
  /** The id that the repo has now: another than was asked for when it was renamed. */
  repo: RepoId
  commit: Commit
  access: Access
  /** The task of the repo's card, such as `feature-extraction`. */
  task?: string
}

// What the client library reads of the answers without a check of its own.
const ModelAnswer = v.object({ id: v.string(), sha: v.string(), lastModified: v.nullish(v.string()) })
const TreeAnswer = v.array(
  v.object({
    type: v.string(),
    path: v.string(),
    size: v.nullish(v.number()),
    oid: v.nullish(v.string()),
    lfs: v.nullish(v.object({ oid: v.string(), size: v.number() })),
    xetHash: v.nullish(v.string()),
  }),
)
// A million files.
const MOST_PAGES = 1000

export interface ApiRequest {
  repo: RepoId
  revision: string
  /** How errors name what was asked for. */
  asked: string
  signal?: AbortSignal
  /** Milliseconds after which an answer counts as lost. Default 30 s. */
  stallMs?: number
}

/** Resolves a revision to a commit, in one request. Throws `MODEL_NOT_FOUND`, `REVISION_NOT_FOUND`, `GATED`... */
export async function fetchModel(hub: HubAccess, request: ApiRequest): Promise<HubModel> {
  const { repo, revision, asked } = request
  return explained(hub, request, async (signal) => {
    const { modelInfo } = await import('@huggingface/hub')
    const info = await modelInfo({
      name: repo,
      revision,
      hubUrl: hub.endpoint,
      fetch: checked(hubFetch(hub, signal), (answer) => v.is(ModelAnswer, answer), hub, asked),
      additionalFields: ['sha'],
    })
    return {
      repo: parseRepoId(info.name),
      commit: parseCommit(info.sha, asked),
      access: info.private ? 'private' : info.gated ? 'gated' : 'public',
      task: typeof info.task === 'string' ? info.task : undefined,
    }
  })
}

/** All files of a repo at a commit with their sizes and digests, in one request for each thousand of files. */
export async function fetchTree(
  hub: HubAccess,
  request: Omit<ApiRequest, 'revision'> & { commit: Commit },
): Promise<Tree> {
  const { repo, commit, asked } = request
  return explained(hub, request, async (signal) => {
    const { listFiles } = await import('@huggingface/hub')
    const tree: Tree = new Map()
    const fetch = checked(hubFetch(hub, signal), (answer) => v.is(TreeAnswer, answer), hub, asked)
    for await (const file of listFiles({ repo, revision: commit, recursive: true, hubUrl: hub.endpoint, fetch })) {
      if (file.type !== 'file') continue
      const { path, size, oid: gitId, lfs, xetHash } = file
      if (!addToTree(tree, { path, size: lfs?.size ?? size, gitId, sha256: lfs?.oid, xetHash }, asked))
        throw new ModelCacheError({
          code: 'HUB_ERROR',
          asked,
          reason: `The Hub states no usable digest for the file ${JSON.stringify(path)}.`,
          nextStep: 'Nothing is kept that can not be verified: check that HF_ENDPOINT is a Hugging Face Hub.',
        })
    }
    return tree
  })
}

/**
 * A fetch that refuses answers of another form than documented: the library would stumble over them, or hand them on. And
 * pages of a listing that go in a circle, or on without end: they would be read for ever.
 */
function checked(get: Fetch, isRight: (answer: unknown) => boolean, hub: HubAccess, asked: string): typeof fetch {
  const pages = new Set<string>()
  const ask = async (input: string | URL, init?: FetchInit) => {
    const url = String(input)
    if (pages.has(url) || pages.size === MOST_PAGES || !URL.canParse(url)) throw malformed(hub, asked)
    pages.add(url)
    const response = await get(url, init)
    const answer = await response.json()
    if (!isRight(answer)) throw malformed(hub, asked)
    // All that the library reads of it.
    return { ok: true, status: response.status, headers: response.headers, json: async () => answer }
  }
  return ask as unknown as typeof fetch
}

function malformed({ endpoint }: HubAccess, asked: string): ModelCacheError {
  return new ModelCacheError({
    code: 'HUB_ERROR',
    asked,
    reason: `${endpoint} answered with something else than a Hub answers.`,
    nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
  })
}

async function explained<T>(
  hub: HubAccess,
  { asked, signal, stallMs }: Pick<ApiRequest, 'asked' | 'signal' | 'stallMs'>,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempt = () => underStallWatch({ path: 'The answer', signal, stallMs }, (watch) => call(watch.signal))
  try {
    return await withRetry(attempt, { signal, endpoint: hub.endpoint })
  } catch (error) {
    throw explainHubError(error, asked, hub)
  }
}
