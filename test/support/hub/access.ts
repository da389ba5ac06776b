import { codedError, HubError } from './hub-error.ts'
import type { Repository } from './repository.ts'

export interface Tokens {
  /** Opens every private and gated repo. */
  token?: string
  /** A valid token of somebody who was let into nothing. */
  tokenWithoutAccess?: string
}

type Visitor = 'anonymous' | 'member' | 'outsider'

/**
 * The repo, when the request may see it. Throws the Hub's refusals: it does not tell a private repo from a missing one, and
 * answers 401 to the anonymous and 404 to those it knows.
 */
export function openRepository(
  repository: Repository | undefined,
  authorization: string | undefined,
  tokens: Tokens,
): Repository {
  const visitor = identify(authorization, tokens)
  if (repository && (!repository.options.private || visitor === 'member')) return repository
  // Without the header, huggingface_hub would know a 401 to mean "no such repo" by its https URL only (REPO_API_REGEX).
  if (visitor === 'anonymous') throw codedError(401, 'RepoNotFound', 'Invalid username or password.')
  throw codedError(404, 'RepoNotFound', 'Repository not found')
}

/** Gated repos can be listed by all, but their files are for those who were let in. */
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
  // huggingface_hub compares this very text.
  const message = 'Invalid credentials in Authorization header'
  throw new HubError(401, message, { 'X-Error-Message': message })
}
