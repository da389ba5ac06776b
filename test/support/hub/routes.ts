import { openFiles, openRepository, type Tokens, whoIs } from './access.ts'
import type { Content } from './content.ts'
import type { Exchange } from './exchange.ts'
import { HubError, revisionNotFound } from './hub-error.ts'
import { sendModelInfo } from './model-info.ts'
import type { Repository } from './repository.ts'
import { sendFromCdn, sendRaw, sendResolved } from './resolve.ts'
import { decodedSegments, renamedPath, splitRevision, type Target, targetOf } from './target.ts'
import { sendPathsInfo, sendTree } from './tree.ts'

/** The state of the Hub. */
export interface HubState {
  hubUrl: string
  cdnUrl: string
  treePageSize: number
  tokens: Tokens
  repositories: Map<string, Repository>
  /** New names by old names. */
  renamed: Map<string, string>
  /** Files behind the CDN, by sha256. */
  lfs: Map<string, Content>
}

/** Sets the log's fields for a request. Must be called before the response, because faults are matched by these fields. */
export function classifyHubRequest(state: HubState, { log }: Exchange): Target {
  const target = targetOf(log.path)
  log.kind = target.kind
  log.repo = target.repo
  if (target.rest.length === 0) return target
  const repository = repositoryOf(state, target)
  const [revision, path] = splitRevision(target.rest, (name) => repository?.resolve(name) !== undefined)
  log.revision = revision
  if (path !== '') log.file = path
  return target
}

export function classifyCdnRequest({ log }: Exchange): void {
  const [repo, , ...file] = decodedSegments(log.path)
  log.repo = repo
  log.file = file.join('/')
}

export async function answerHubRequest(state: HubState, exchange: Exchange, target: Target): Promise<void> {
  const { request, log } = exchange
  const newName = state.renamed.get(target.repo ?? '')
  if (target.endpoint === undefined) throw new HubError(404, "Sorry, we can't find the page you are looking for.")
  if (request.method !== (target.endpoint === 'paths-info' ? 'POST' : 'GET') && request.method !== 'HEAD') {
    throw new HubError(405, `${request.method} is not allowed here`)
  }
  if (target.endpoint === 'whoami') return exchange.sendJson(whoIs(request.headers.authorization, state.tokens))
  // The redirect is relative: huggingface_hub distinguishes a renamed repo from a redirect to the CDN by that (huggingface_hub#983).
  if (target.repo && newName) return exchange.redirect(307, renamedPath(log.path, target.repo, newName) + log.query)
  const { authorization } = request.headers
  const repository = openRepository(repositoryOf(state, target), authorization, state.tokens)
  const revision = log.revision ?? 'main'
  const commit = repository.resolve(revision)
  if (commit === undefined) throw revisionNotFound(revision)
  const path = log.file ?? ''
  if (target.endpoint === 'info') return sendModelInfo(exchange, repository, commit)
  if (target.endpoint === 'paths-info') return sendPathsInfo(exchange, repository, commit)
  if (target.endpoint === 'tree') {
    return sendTree(exchange, repository, commit, path, { hubUrl: state.hubUrl, pageSize: state.treePageSize })
  }
  openFiles(repository, authorization, state.tokens)
  if (target.endpoint === 'raw') return sendRaw(exchange, repository, commit, path)
  await sendResolved(exchange, repository, commit, path, state.cdnUrl)
}

export async function answerCdnRequest({ lfs }: HubState, exchange: Exchange): Promise<void> {
  // S3 refuses an Authorization header beside the signature in the URL, so a client that sends its token to the CDN fails.
  if (exchange.log.authorization) throw new HubError(400, 'Only one auth mechanism allowed')
  const sha256 = exchange.log.path.split('/')[2] ?? ''
  const content = lfs.get(sha256)
  if (!content) throw new HubError(404, 'NoSuchKey')
  await sendFromCdn(exchange, content, sha256)
}

function repositoryOf({ repositories, renamed }: HubState, { repo = '' }: Target): Repository | undefined {
  return repositories.get(renamed.get(repo) ?? repo)
}
