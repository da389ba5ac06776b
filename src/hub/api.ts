import type { Access } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseRepoId, type RepoId } from '../model/repo-id.ts'
import { type Commit, parseCommit } from '../model/revision.ts'
import { addToTree, type Tree } from '../model/tree.ts'
import { explainHubError, type HubAccess, hubFetch } from './http.ts'
import { withRetry } from './retry.ts'
import { StallWatch } from './stall-watch.ts'

/** A repo at one commit, as the Hub states it. */
export interface HubModel {
  /** The id that the repo has now: another than was asked for when it was renamed. */
  repo: RepoId
  commit: Commit
  access: Access
  /** The task of the repo's card, such as `feature-extraction`. */
  task?: string
}

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
      fetch: hubFetch(hub, signal),
      additionalFields: ['sha'],
    })
    return {
      repo: parseRepoId(info.name),
      commit: parseCommit(info.sha, asked),
      access: info.private ? 'private' : info.gated ? 'gated' : 'public',
      task: info.task,
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
    const fetch = hubFetch(hub, signal)
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

async function explained<T>(
  hub: HubAccess,
  { asked, signal, stallMs }: Pick<ApiRequest, 'asked' | 'signal' | 'stallMs'>,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempt = async () => {
    const watch = new StallWatch({ path: 'The answer', signal, stallMs })
    try {
      return await call(watch.signal)
    } catch (error) {
      throw watch.stalled ?? error
    } finally {
      watch.stop()
    }
  }
  try {
    return await withRetry(attempt, { signal })
  } catch (error) {
    throw explainHubError(error, asked, hub)
  }
}
