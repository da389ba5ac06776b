import { HubHttpError } from '../hub/http.ts'
import type { Answer } from '../intercept/answer.ts'
import { answerMissing } from '../intercept/answer-file.ts'
import { refusal } from '../intercept/refusal.ts'
import { type ErrorCode, ModelCacheError, nameOf } from '../model/errors.ts'
import { BusyError } from './shared.ts'

/** How the server answers what it refuses. */
export interface Manner {
  /** True when missing files are downloaded. */
  pullThrough: boolean
  /** True when clients have to send a token. The Hub answers 404 to a valid token, and 401 without one. */
  hasToken: boolean
}

interface About {
  repo: string
  revision: string
  path: string
  isApi: boolean
}

const UNKNOWN: ErrorCode[] = ['MODEL_NOT_FOUND', 'ACCESS_DENIED', 'INVALID_MODEL']
const NO_ROOM: ErrorCode[] = ['TOO_LARGE', 'CACHE_UNUSABLE', 'CACHE_FORMAT', 'NOT_A_CACHE']
const WRONG_BYTES: ErrorCode[] = ['DIGEST_MISMATCH', 'BROKEN_DOWNLOAD']
const PASSED_ON = [429, 500, 502, 503, 504]

/**
 * The answer for an error of the engine. What the error says of this machine, such as the path of the folder, is left out: it is for
 * the operator. Pure.
 */
export function refuse(error: unknown, about: About, manner: Manner): Answer {
  const no = (status: number, said: string, errorCode?: string) => refusal({ status, said, errorCode }, about)
  if (error instanceof BusyError) return later(no(503, 'Too many models are being looked up.'), 5)
  if (nameOf(error) === 'AbortError') return later(no(503, 'The server is about to end.'), 5)
  if (!(error instanceof ModelCacheError)) return no(500, 'The server failed. Its log has the reason.')
  const { code } = error
  if (UNKNOWN.includes(code)) return refuseModel(about, manner)
  if (code === 'GATED') {
    const said = `Access to model ${about.repo} is restricted, and the token of the server has no access to it.`
    return manner.hasToken ? no(403, said, 'GatedRepo') : refuseModel(about, manner)
  }
  if (code === 'REVISION_NOT_FOUND') return no(404, `Invalid rev id: ${about.revision}`, 'RevisionNotFound')
  if (code === 'FILE_NOT_FOUND') return answerMissing(about)
  if (code === 'UNSAFE_PATH') return no(400, 'This is no path of a file in a repo.')
  if (code === 'OFFLINE') return refuseUncached(about, manner)
  if (NO_ROOM.includes(code)) return no(507, 'The server can not store this model. Its log has the reason.')
  if (WRONG_BYTES.includes(code)) return no(502, 'The Hub sent a file that is not the one that it lists.')
  if (code === 'HUB_UNREACHABLE') return no(502, 'The Hub can not be reached.')
  return code === 'HUB_ERROR' ? refuseAsHub(error, no) : no(500, 'The server failed. Its log has the reason.')
}

/** The same answer for a repo that does not exist and for one that the client may not read. */
function refuseModel({ repo, isApi }: About, { pullThrough, hasToken }: Manner): Answer {
  const said = pullThrough
    ? `Repository not found: ${repo} does not exist, or is not public.`
    : `Repository not found: ${repo} is not in this cache, or is not public. ${howToGet(repo)}`
  return refusal({ status: hasToken ? 404 : 401, errorCode: 'RepoNotFound', said }, { isApi })
}

/** For something that may exist at the Hub. Not 404, which loaders take as "the repo has no such file". */
function refuseUncached({ repo, revision, path, isApi }: About, { pullThrough }: Manner): Answer {
  const what = path === '' ? `Revision ${revision} of ${repo}` : `${path} of ${repo} at ${revision}`
  const way = path === '' ? howToGet(repo) : howToGetFile(repo, path)
  const said = `${what} is not in this cache. ${pullThrough ? 'The server is offline.' : way}`
  return refusal({ status: 504, said }, { isApi })
}

function howToGet(repo: string): string {
  return `Where the server runs: npx vitest-model-cache warm ${repo}, or start it with --pull-through.`
}

/** `warm` with the name of a model downloads the files of its usual selection. */
function howToGetFile(repo: string, path: string): string {
  return `Where the server runs: start it with --pull-through, or warm { repo: '${repo}', files: ['${path}'] } by the Vitest config.`
}

function refuseAsHub({ cause }: ModelCacheError, no: (status: number, said: string) => Answer): Answer {
  if (!(cause instanceof HubHttpError)) return no(502, 'The Hub gave no usable answer.')
  const { status, retryAfterMs } = cause
  const answer = no(PASSED_ON.includes(status) ? status : 502, `The Hub answered HTTP ${status}.`)
  return retryAfterMs === undefined ? answer : later(answer, Math.ceil(retryAfterMs / 1000))
}

/** With the advice to ask again after some seconds. */
export function later(answer: Answer, seconds: number): Answer {
  return { ...answer, headers: { ...answer.headers, 'Retry-After': String(seconds) } }
}
