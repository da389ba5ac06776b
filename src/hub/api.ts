import * as v from 'valibot'
import { formatDuration } from '../config/units.ts'
import { BrokenDownloadError } from '../model/broken-download.ts'
import type { Access } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseRepoId, type RepoId } from '../model/repo-id.ts'
import { type Commit, parseCommit } from '../model/revision.ts'
import { addToTree, type Tree } from '../model/tree.ts'
import type { FetchInit } from '../net/fetch.ts'
import { withTimeLimit } from '../platform/originals.ts'
import { explainHubError } from './explain-error.ts'
import { type HubAccess, hubFetch } from './http.ts'
import { nextPage } from './next-page.ts'
import { LARGEST_ANSWER_BYTES, readText } from './read-text.ts'
import { withRetry } from './retry.ts'
import { STALL_MS, underStallWatch } from './stall-watch.ts'

/** The Hub's statement about a repo at one commit. */
export interface HubModel {
  /** The present id of the repo. It differs from the requested id when the repo was renamed. */
  repo: RepoId
  commit: Commit
  access: Access
  /** The task that the repo's model card states, such as `feature-extraction`. */
  task?: string
}

// The fields that @huggingface/hub reads without checking them.
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
// Enough for a million files: the Hub lists 1,000 files a page.
const MOST_PAGES = 1000
// The size of a listing of about 500,000 files.
const LARGEST_LISTING_BYTES = 256 << 20
// The limit of a whole call in stall times: half an hour with the default of 30 s.
const LONGEST_CALL_STALLS = 60

export interface ApiRequest {
  repo: RepoId
  revision: string
  /** The subject of the request in error messages. */
  asked: string
  signal?: AbortSignal
  /** A response without progress for this many milliseconds counts as lost. Default 30,000. */
  stallMs?: number
}

/** Resolves a revision to a commit with one request. Throws `MODEL_NOT_FOUND`, `REVISION_NOT_FOUND`, `GATED`... */
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

/** All files of a repo at a commit with their sizes and digests. Takes one request for every 1,000 files. */
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
          nextStep:
            'A file without a digest cannot be verified, so it is not cached. Check that HF_ENDPOINT is a Hugging Face Hub.',
        })
    }
    return tree
  })
}

/**
 * A fetch for @huggingface/hub. It watches and retries each page separately. It refuses responses that are too large or do
 * not have the documented form, because the library does not check them. It also refuses a listing that repeats a page or
 * has too many pages.
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
    // The library reads only these properties.
    return { ok: true, status: response.status, headers: response.headers, json: async () => answer }
  }
  return ask as unknown as typeof fetch
}

function malformed({ endpoint }: HubAccess, asked: string): ModelCacheError {
  return new ModelCacheError({
    code: 'HUB_ERROR',
    asked,
    reason: `The response of ${endpoint} does not have the form of a Hub's response.`,
    nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
  })
}

/**
 * Runs a call of the API and turns its failures into errors for users. Ends a call that takes too long as a whole: a server
 * that sends a few bytes at a time never stalls, but must not block the call forever.
 */
async function explained<T>(
  hub: HubAccess,
  { asked, repo, signal, stallMs = STALL_MS }: Omit<ApiRequest, 'revision'>,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tooSlow = (ms: number) => unanswered(hub, asked, `its response was not complete after ${formatDuration(ms)}`)
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
