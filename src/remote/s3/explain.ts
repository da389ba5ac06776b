import { messageOf, nameOf, systemCode } from '../../model/errors.ts'
import { isNetworkError, rootMessage } from '../../net/connection-error.ts'
import { retryAfterMs } from '../../net/retry-after.ts'
import { RemoteError, type RemoteFailure } from '../store.ts'

// Codes that tell more than the status: some servers answer a full bucket with 400 or 403, and old credentials with 400.
const BY_CODE: [RegExp, RemoteFailure][] = [
  [/quota|storagefull|insufficientstorage/i, 'full'],
  [/^(ExpiredToken|InvalidToken|TokenRefreshRequired|CredentialsProviderError)/, 'denied'],
  [/^(SlowDown|Throttling|TooManyRequests|OperationAborted|ConditionalRequestConflict)/, 'busy'],
  [/^(RequestTimeout|TimeoutError)$/, 'unreachable'],
  [/^(NoSuchBucket|InvalidBucketName|PermanentRedirect|AuthorizationHeaderMalformed)$/, 'misused'],
]

const BY_STATUS: Record<number, RemoteFailure> = {
  301: 'misused',
  401: 'denied',
  403: 'denied',
  429: 'busy',
  503: 'busy',
  507: 'full',
}

const REGION = 'name the region of the bucket: ?region=...'
const UNSIGNED = 'requests are not signed, because no AWS credentials were found'
const RIGHTS = 'check the credentials. Without the right to list the bucket, S3 refuses objects that are missing, too'
const ADVICE: Record<string, string> = {
  NoSuchBucket: 'create the bucket, or correct the address',
  InvalidBucketName: 'correct the name of the bucket',
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  RequestTimeTooSkewed: 'the clock of this machine is wrong',
  AccessDenied: RIGHTS,
  // An answer to HEAD names no code.
  '403': RIGHTS,
}

/** The status of the answer that an error of the SDK tells. Undefined if there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const status = field(field(error, '$metadata'), 'httpStatusCode') ?? field(field(error, '$response'), 'statusCode')
  return typeof status === 'number' && status > 0 ? status : undefined
}

/** True if the server refused the time of a signature, and the SDK now signs with the server's time. */
export function wasSkewed(error: unknown): boolean {
  return statusOf(error) === 403 && field(field(error, '$metadata'), 'clockSkewCorrected') === true
}

/**
 * An error of the SDK as an error of the store. It keeps neither the error nor its message: they can hold the id of an access key and
 * what was signed.
 */
export function explain({ name, signs }: { name: string; signs: boolean }, error: unknown): RemoteError {
  if (error instanceof RemoteError) return error
  const status = statusOf(error)
  const code = codeOf(error)
  const failure = BY_CODE.find(([pattern]) => pattern.test(code))?.[1] ?? failureOf(error, status)
  if (status === undefined) return new RemoteError(failure, `${name} gave no answer: ${reasonOf(error)}`)
  const answer = `${status} ${code}`.trim()
  const advice = failure === 'denied' && !signs ? UNSIGNED : ADVICE[code || answer]
  return new RemoteError(failure, `${name} answered ${answer}${advice ? ` (${advice})` : ''}`, waitOf(error))
}

function failureOf(error: unknown, status: number | undefined): RemoteFailure {
  if (status !== undefined) return BY_STATUS[status] ?? 'failed'
  // Errors of TLS have a code, too.
  return isNetworkError(error) || systemCode(error) !== undefined ? 'unreachable' : 'failed'
}

/** The code of S3, such as `NoSuchKey`. Empty if the answer had none: HEAD has no body, and proxies answer in HTML. */
function codeOf(error: unknown): string {
  const name = nameOf(error) ?? ''
  return /^\w+$/.test(name) && !/^(\d+|Error|SyntaxError|TypeError|Unknown\w*)$/.test(name) ? name : ''
}

function reasonOf(error: unknown): string {
  return isNetworkError(error) ? rootMessage(error) : (systemCode(error) ?? messageOf(error)) || 'unknown reason'
}

function waitOf(error: unknown): { retryAfterMs?: number } {
  const headers = field(field(error, '$response'), 'headers')
  const get = (name: string) => String(field(headers, name.toLowerCase()) ?? '') || null
  return { retryAfterMs: retryAfterMs({ get }) }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
