import * as v from 'valibot'
import { formatDuration } from '../config/units.ts'
import { BrokenDownloadError } from '../model/broken-download.ts'
import type { Access } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseRepoId, type RepoId } from '../model/repo-id.ts'
import { type Commit, parseCommit } from '../model/revision.ts'
import { addToTree, type Tree } from '../model/tree.ts'
import { withTimeLimit } from '../platform/originals.ts'
import { explainHubError } from './explain-error.ts'
import type { FetchInit } from './fetch.ts'
import { type HubAccess, hubFetch } from './http.ts'
import { nextPage } from './next-page.ts'
import { LARGEST_ANSWER_BYTES, readText } from './read-text.ts'
import { withRetry } from './retry.ts'
import { STALL_MS, underStallWatch } from './stall-watch.ts'

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
// A million files, of which the Hub lists a thousand a page.
const MOST_PAGES = 1000
// Some 600,000 files.
const LARGEST_LISTING_BYTES = 256 << 20
// Half an hour, with the default of 30 s.
const LONGEST_CALL_STALLS = 60

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
      fetch: apiFetch(hub, { ...request, signal }, (answer) => v.is(ModelAnswer, answer)),
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
    const fetch = apiFetch(hub, { ...request, signal }, (answer) => v.is(TreeAnswer, answer))
    for await (const file of listFiles({ repo, revision: commit, recursive: true, hubUrl: hub.endpoint, fetch })) {
      if (file.type !== 'file') continue
      const { path, size, oid: gitId, lfs, xetHash } = file
      if (!addToTree(tree, { path, size: lfs?.size ?? size, gitId, sha256: lfs?.oid, xetHash }, asked))
        throw new ModelCacheError({
          code: 'HUB_ERROR',
          asked,
          reason: `The Hub states no usable digest, or more than one, for the file ${JSON.stringify(path)}.`,
          nextStep: 'Nothing is kept that can not be verified: check that HF_ENDPOINT is a Hugging Face Hub.',
        })
    }
    return tree
  })
}

/**
 * A fetch for the client library. Each page is watched and tried again by itself. It refuses answers of another form than documented, which
 * the library would stumble over or hand on, answers that are too large, and listings that go in a circle or on without end.
 */
function apiFetch(
  hub: HubAccess,
  { asked, signal, stallMs }: Pick<ApiRequest, 'asked' | 'signal' | 'stallMs'>,
  isRight: (answer: unknown) => boolean,
): typeof fetch {
  const { endpoint } = hub
  const pages = new Set<string>()
  let bytesLeft = LARGEST_LISTING_BYTES
  const read = (url: string, init?: FetchInit) =>
    underStallWatch({ path: 'The answer', signal, stallMs }, async (watch) => {
      const response = await hubFetch(hub, watch.signal)(url, init)
      const limit = Math.min(bytesLeft, LARGEST_ANSWER_BYTES)
      const text = await readText(response, { asked, endpoint, watch, limit })
      return { response, size: text.length, answer: JSON.parse(text) as unknown }
    })
  const ask = async (input: string | URL, init?: FetchInit) => {
    const [first = String(input)] = pages
    const url = nextPage(endpoint, first, String(input))
    if (url === undefined || pages.has(url) || pages.size === MOST_PAGES) throw malformed(hub, asked)
    pages.add(url)
    const { response, size, answer } = await withRetry(() => read(url, init), { signal, endpoint, onWait: hub.onWait })
    if (!isRight(answer)) throw malformed(hub, asked)
    bytesLeft -= size
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

/** Ends a call that takes too long as a whole: a server that trickles is not waited for without end. */
async function explained<T>(
  hub: HubAccess,
  { asked, repo, signal, stallMs = STALL_MS }: Omit<ApiRequest, 'revision'>,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tooSlow = (ms: number) => unanswered(hub, asked, `its answer was not complete after ${formatDuration(ms)}`)
  try {
    return await withTimeLimit(LONGEST_CALL_STALLS * stallMs, signal, tooSlow, call)
  } catch (error) {
    if (error instanceof BrokenDownloadError) throw unanswered(hub, asked, error.message, error)
    throw explainHubError(error, { asked, repo }, hub)
  }
}

function unanswered({ endpoint }: HubAccess, asked: string, why: string, cause?: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'HUB_UNREACHABLE',
    asked,
    reason: `The Hub at ${endpoint} did not answer: ${why}.`,
    nextStep: 'Check the network, the proxy variables and HF_ENDPOINT; the next run tries again.',
    cause,
  })
}
