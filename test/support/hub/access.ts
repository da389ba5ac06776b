import { codedError, HubError } from './hub-error.ts'
import type { Repository } from './repository.ts'

export interface Tokens {
  /** A token with access to every private and gated repo. */
  token?: string
  /** A valid token without access to any private or gated repo. */
  tokenWithoutAccess?: string
}

type Visitor = 'anonymous' | 'member' | 'outsider'

/**
 * The repo, if the request may see it. Otherwise throws the Hub's errors. They are the same for a private and a missing repo:
 * 401 without a token, 404 with a valid token.
 */
export function openRepository(
  repository: Repository | undefined,
  authorization: string | undefined,
  tokens: Tokens,
): Repository {
  const visitor = identify(authorization, tokens)
  if (repository && (!repository.options.private || visitor === 'member')) return repository
  // Without the X-Error-Code, huggingface_hub reads a 401 as "no such repo" only for https URLs (REPO_API_REGEX).
  if (visitor === 'anonymous') throw codedError(401, 'RepoNotFound', 'Invalid username or password.')
  throw codedError(404, 'RepoNotFound', 'Repository not found')
}

/** Throws unless the request may download files of the repo. Everybody may list a gated repo, but files need access. */
export function openFiles({ name, options }: Repository, authorization: string | undefined, tokens: Tokens): void {
  const visitor = identify(authorization, tokens)
  if (!options.gated || visitor === 'member') return
  if (visitor === 'anonymous') {
    const message = `Access to model ${name} is restricted. You must have access to it and be authenticated to access it. Please log in.`
    throw codedError(401, 'GatedRepo', message)
  }
  const message = `Access to model ${name} is restricted and you are not in the authorized list.`
  throw codedError(403, 'GatedRepo', message)
}

/** GET /api/whoami-v2 */
export function whoIs(authorization: string | undefined, tokens: Tokens): object {
  const visitor = identify(authorization, tokens)
  if (visitor === 'anonymous') throw new HubError(401, 'Invalid username or password.')
  return { type: 'user', name: visitor, auth: { type: 'access_token', accessToken: { role: 'read' } } }
}

function identify(authorization: string | undefined, { token, tokenWithoutAccess }: Tokens): Visitor {
  if (authorization === undefined) return 'anonymous'
  if (token !== undefined && authorization === `Bearer ${token}`) return 'member'
  if (tokenWithoutAccess !== undefined && authorization === `Bearer ${tokenWithoutAccess}`) return 'outsider'
  // huggingface_hub compares this exact text.
  const message = 'Invalid credentials in Authorization header'
  throw new HubError(401, message, { 'X-Error-Message': message })
}
