import type { IncomingMessage } from 'node:http'
import type { Listing } from '../cache/get-listing.ts'
import type { Answer } from '../intercept/answer.ts'
import { answerFile, answerHead, answerMissing } from '../intercept/answer-file.ts'
import type { AskedHeaders } from '../intercept/asked-request.ts'
import { refusal } from '../intercept/refusal.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseHubPath } from '../model/hub-path.ts'
import type { TreeFile } from '../model/tree.ts'
import { answerInfo, answerPaths, answerTree, cursorOf } from './answer-question.ts'
import type { Asked } from './asked.ts'
import { gitIdOf, pointerOf } from './folders.ts'
import type { Uses } from './in-use.ts'
import { readBody } from './read-body.ts'
import type { ServedModels } from './served-models.ts'

type AskedFile = Asked & { kind: 'file' }
type AskedQuestion = Exclude<Asked, AskedFile>

/** Answers a read of a file or of the API. Throws the errors of the engine. */
export async function answerAsked(
  models: ServedModels,
  asked: Asked,
  request: IncomingMessage,
  uses: Uses,
): Promise<Answer> {
  return asked.kind === 'file' ? answerRead(models, asked, request, uses) : answerQuestion(models, asked, request, uses)
}

async function answerRead(
  models: ServedModels,
  asked: AskedFile,
  { method, headers }: IncomingMessage,
  uses: Uses,
): Promise<Answer> {
  if (asked.path === '') return answerMissing()
  const path = parseHubPath(asked.path, asked.repo)
  const wanted: AskedHeaders = { get: (name) => headers[name.toLowerCase()]?.toString() }
  const listing = await listingFor(models, asked, uses)
  const stated = listing?.files.get(path)
  if (listing && !stated) return answerMissing()
  if (stated?.digest.startsWith('sha256:') && asked.isRaw) return answerPointer(stated)
  if (listing && stated && method === 'HEAD') return answerHead({ ...listing, ...stated, path }, wanted)
  // By the commit: the branch may have moved since the listing was read.
  const file = await models.file({ repo: asked.repo, revision: listing?.commit ?? asked.revision, path })
  uses.hold(file)
  uses.used(file)
  return method === 'HEAD' ? answerHead(file, wanted) : answerFile(file, wanted)
}

/** The listing. Undefined if none is stored and the Hub is not asked: single files may be cached all the same. */
async function listingFor(models: ServedModels, asked: AskedFile, uses: Uses): Promise<Listing | undefined> {
  try {
    const listing = await models.listing(asked)
    uses.hold(listing)
    return listing
  } catch (error) {
    if (error instanceof ModelCacheError && error.code === 'OFFLINE') return undefined
    throw error
  }
}

function answerPointer(stated: TreeFile): Answer {
  const etag = `"${gitIdOf(stated)}"`
  return { status: 200, headers: { 'Content-Type': 'text/plain; charset=utf-8', ETag: etag }, body: pointerOf(stated) }
}

async function answerQuestion(
  models: ServedModels,
  { repo, revision, kind, path, query }: AskedQuestion,
  request: IncomingMessage,
  uses: Uses,
): Promise<Answer> {
  const isQuery = request.method === 'POST'
  if (isQuery !== (kind === 'paths-info')) return notAllowed(isQuery ? 'GET, HEAD' : 'POST')
  const body = isQuery ? await readBody(request) : ''
  if (body === undefined) return tooLong()
  const page = kind === 'tree' ? cursorOf(query) : undefined
  const listing = await models.listing({ repo, revision: page?.commit ?? revision })
  uses.hold(listing)
  if (kind === 'tree') return answerTree(listing, { path, query, address: ownAddress(request) })
  if (path !== '') return answerMissing({ isApi: true })
  return kind === 'revision'
    ? answerInfo(listing, await models.details.of(listing), query)
    : answerPaths(listing, body, request.headers['content-type'])
}

function tooLong(): Answer {
  const answer = refusal({ status: 413, said: 'The query is too long.' }, { isApi: true })
  // The rest of it is not read.
  return { ...answer, headers: { ...answer.headers, Connection: 'close' } }
}

function notAllowed(allowed: string): Answer {
  const answer = refusal({ status: 405, said: `This address takes ${allowed}.` }, { isApi: true })
  return { ...answer, headers: { ...answer.headers, Allow: allowed } }
}

/** The address that the client used, without a query. A proxy in front of this server states its own name and scheme. */
function ownAddress({ headers, url = '' }: IncomingMessage): string {
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  const hosts = [headers['x-forwarded-host'], headers.host, 'localhost'].flatMap((host) => host ?? [])
  const base = hosts.map((host) => `${scheme}://${host}`).find((base) => URL.canParse(base)) ?? ''
  return new URL(base).origin + (url.split('?', 1)[0] ?? '')
}
