import { HubHttpError } from '../hub/http.ts'
import { fetchRaw, type RawRequest } from '../hub/raw.ts'
import { BrokenDownloadError } from '../model/broken-download.ts'
import { messageOf } from '../model/errors.ts'
import type { RepoId } from '../model/repo-id.ts'
import { isCommit } from '../model/revision.ts'
import { isNetworkError } from '../net/connection-error.ts'
import type { CacheContext } from './context/context.ts'
import { hubAccess, offlineMiss } from './intake/resolve.ts'
import { readApiAnswer, type StoredAnswer, writeApiAnswer } from './store/answers/api-answers.ts'
import { importedOrigin } from './store/answers/imported-answers.ts'
import { prepareCacheFolder } from './store/locks/prepare-cache-folder.ts'

/**
 * Returns the answer of the Hub's API to a read of a public repo. A stored answer about a commit is always used, and one about a
 * branch while it is younger than `maxAge`. Otherwise the Hub is asked, without a token. When the Hub fails or can't be reached, an
 * older stored answer is used; undefined when none is stored. A refusal of the Hub is returned, because the caller may have a token
 * that opens the repo. Throws `OFFLINE`.
 */
export async function getApiAnswer(
  context: CacheContext,
  { repo, revision }: { repo: RepoId; revision: string },
  request: RawRequest,
): Promise<StoredAnswer | HubHttpError | undefined> {
  const { layout, options, origin } = context
  const key = `${request.method} ${options.hub.endpoint} ${request.address} ${request.body ?? ''}`
  const folders = [
    origin.api,
    layout.formerApi,
    ...(options.offline ? [importedOrigin(layout, origin.endpoint).api] : []),
  ]
  let stored: Awaited<ReturnType<typeof readApiAnswer>>
  for (const folder of folders) stored ??= await readApiAnswer(folder, repo, key)
  if (stored && (options.offline || isCommit(revision) || stored.ageMs <= options.maxAge)) return stored.answer
  if (options.offline) throw offlineMiss({ repo, revision, selection: {}, pin: false })
  try {
    const answer = await fetchRaw(await hubAccess(context), { ...request, stallMs: options.stallMs })
    await keep(context, repo, key, answer)
    return answer
  } catch (error) {
    if (error instanceof HubHttpError && error.status < 500 && error.status !== 429) return error
    if (!isNetworkError(error) && !(error instanceof BrokenDownloadError) && !(error instanceof HubHttpError))
      throw error
    return stored?.answer
  }
}

/** Stores an answer. A failure is not an error: the Hub is then asked again next time. */
async function keep(context: CacheContext, repo: RepoId, key: string, answer: StoredAnswer): Promise<void> {
  try {
    await prepareCacheFolder(context.layout)
    context.origin.writeEndpoint()
    writeApiAnswer(context.origin, repo, key, answer)
  } catch (error) {
    context.debug(`The Hub's answer about ${repo} could not be stored: ${messageOf(error)}`)
  }
}
