import { isSystemError, messageOf, systemCode } from '../../model/errors.ts'
import { RemoteError, type RemoteFailure } from '../store.ts'

const FAILURES: Record<string, RemoteFailure> = {
  ...{ EACCES: 'denied', EPERM: 'denied', EROFS: 'denied' },
  ...{ ENOSPC: 'full', EDQUOT: 'full', EFBIG: 'full' },
  ...{ EBUSY: 'busy', EAGAIN: 'busy', EMFILE: 'busy', ENFILE: 'busy' },
  // The file server is gone.
  ...{ ESTALE: 'unreachable', EIO: 'unreachable', ETIMEDOUT: 'unreachable', EHOSTDOWN: 'unreachable' },
  ...{ EHOSTUNREACH: 'unreachable', ENOTCONN: 'unreachable', ECONNRESET: 'unreachable', ECONNABORTED: 'unreachable' },
}

/** The error of a store for an error of the file system. Other errors are returned as they are. */
export function explainFolderError(name: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  const failure = FAILURES[systemCode(error) ?? ''] ?? 'failed'
  return new RemoteError(failure, `${name}: ${messageOf(error)}`, { cause: error })
}
