import type { Environment } from '../../config/environment-variables.ts'
import { isLoopback } from '../../model/endpoint.ts'
import { RemoteError } from '../store.ts'

const TOKEN = 'MODEL_CACHE_REMOTE_TOKEN'
const USER = 'MODEL_CACHE_REMOTE_USER'
const PASSWORD = 'MODEL_CACHE_REMOTE_PASSWORD'

/**
 * The `Authorization` header for a store: a token, or a user name and a password. Undefined if the environment has none. Throws
 * `RemoteError` if they are incomplete, or would be sent over plain http to another machine.
 */
export function findAuthorization(base: URL, name: string, env: Environment): string | undefined {
  const misused = (reason: string) => new RemoteError('misused', `${name}: ${reason}`)
  // A pasted value may end with a line break, which a header must not contain.
  const [token, user, password] = [TOKEN, USER, PASSWORD].map((variable) => env[variable]?.trim() || undefined)
  const set = [token && TOKEN, user && USER, password && PASSWORD].filter((variable) => variable !== undefined)
  const variables = set.join(' and ')
  if (set.length === 0) return undefined
  if (token && set.length > 1) throw misused(`${variables} are set. Set either the token, or the user and the password`)
  if (!token && set.length < 2) throw misused(`${variables} is set alone. Set both ${USER} and ${PASSWORD}`)
  if (base.protocol !== 'https:' && !isLoopback(base.hostname))
    throw misused(
      `${variables} must not be sent over plain http. Use https, or unset ${set.length > 1 ? 'them' : 'it'}`,
    )
  if (!token) return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  // Node.js would show the token in its error message.
  if (!/^[\x21-\x7e]+$/.test(token)) throw misused(`${TOKEN} contains characters that a token can't have`)
  return `Bearer ${token}`
}
