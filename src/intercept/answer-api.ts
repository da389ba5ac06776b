import type { ModelCache } from '../cache/model-cache.ts'
import { HubHttpError } from '../hub/http.ts'
import type { Answer } from './answer.ts'
import { answerRefusal } from './answer-refusal.ts'
import type { AskedRequest } from './asked-request.ts'
import { addressAt, type HubRead } from './hub-url.ts'

/** Answers a read of the Hub's API (`isReadBy`) with the API's last answer. Undefined where the cache has none. */
export async function answerApi(
  cache: ModelCache,
  read: HubRead & { kind: 'api' },
  request: AskedRequest,
): Promise<Answer | undefined> {
  if (request.method === 'HEAD') return undefined
  const isQuery = request.method === 'POST'
  const body = isQuery ? request.body : undefined
  if (isQuery && !body) return undefined
  const { method, headers } = request
  const contentType = headers.get('Content-Type')
  // @huggingface/hub then asks for the files of the commit that the answer states.
  const commit = await cache.lockedCommit(read)
  const [revision, address] = commit ? [commit, addressAt(read, commit)] : [read.revision, read.address]
  const answer = await cache.apiAnswer({ repo: read.repo, revision }, { address, method, body, contentType })
  if (answer instanceof HubHttpError) return answerRefusal(cache, answer, request, { isApi: true })
  return answer && { status: 200, ...answer }
}
