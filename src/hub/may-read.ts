import type { HubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import { type HubAccess, HubHttpError, hubFetch } from './http.ts'
import { underStallWatch } from './stall-watch.ts'

interface FileOfRepo {
  repo: RepoId
  commit: Commit
  path: HubPath
  signal?: AbortSignal
  stallMs?: number
}

/** True if the Hub would send a file, with the token if there is one. Asks for its first byte. Throws the errors of fetch. */
export async function mayRead(hub: HubAccess, { repo, commit, path, ...options }: FileOfRepo): Promise<boolean> {
  const url = `${hub.endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
  return underStallWatch({ path, ...options }, async ({ signal }) => {
    try {
      const response = await hubFetch(hub, signal)(url, { headers: { Range: 'bytes=0-0' } })
      await response.body?.cancel()
      return true
    } catch (error) {
      // 416: an empty file has no first byte.
      if (error instanceof HubHttpError) return error.status === 416
      throw error
    }
  })
}
