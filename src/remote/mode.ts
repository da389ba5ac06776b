import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../config/environment-variables.ts'
import type { RemoteMode } from '../config/remote-settings.ts'
import { isOfFork } from './fork.ts'

/** The mode of a remote, with the reason for `read`: a sentence. `url` is undefined for a remote of the user's own. */
export function remoteMode(
  { mode, url }: { mode?: RemoteMode; url?: string },
  env: Environment,
): { mode: 'read-write' } | { mode: 'read'; reason: string } {
  if (mode === 'read') return { mode, reason: 'The option `remote` has the mode `read`.' }
  if (mode === 'read-write') return { mode }
  if (isOfFork(env)) return { mode: 'read', reason: 'This run has code of a fork, or may have it.' }
  if (hasWriteCredential(url, env)) return { mode: 'read-write' }
  return { mode: 'read', reason: `No credentials are set with which it could be written: ${wanted(url)}.` }
}

/** For S3 only what costs no request is looked at: with the role of a machine, the mode has to be given. */
function hasWriteCredential(url: string | undefined, env: Environment): boolean {
  switch (protocolOf(url)) {
    case 'http:':
    case 'https:':
      return Boolean(env.MODEL_CACHE_REMOTE_TOKEN || (env.MODEL_CACHE_REMOTE_USER && env.MODEL_CACHE_REMOTE_PASSWORD))
    case 's3:':
      return S3_VARIABLES.some((name) => env[name]) || s3Files(env).some((file) => existsSync(file))
    default:
      return true
  }
}

// The credential chain of the AWS SDK: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
const S3_VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

function s3Files(env: Environment): string[] {
  const folder = join(env.HOME ?? env.USERPROFILE ?? homedir(), '.aws')
  return [env.AWS_SHARED_CREDENTIALS_FILE || join(folder, 'credentials'), env.AWS_CONFIG_FILE || join(folder, 'config')]
}

function wanted(url: string | undefined): string {
  return protocolOf(url) === 's3:'
    ? 'none of the AWS credential chain, such as AWS_ACCESS_KEY_ID'
    : 'MODEL_CACHE_REMOTE_TOKEN, or MODEL_CACHE_REMOTE_USER and MODEL_CACHE_REMOTE_PASSWORD'
}

function protocolOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).protocol : undefined
}
