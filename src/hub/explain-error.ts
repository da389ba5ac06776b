import { BrokenDownloadError } from '../model/broken-download.ts'
import { ModelCacheError, nameOf } from '../model/errors.ts'
import { isNetworkError, rootMessage } from '../net/connection-error.ts'
import { type Asked, explainStatus } from './explain-status.ts'
import { type HubAccess, HubHttpError } from './http.ts'

/** Turns a failure of a request to the Hub into an error for users. Other errors are returned unchanged. */
export function explainHubError(error: unknown, of: Asked, hub: HubAccess): unknown {
  const { asked } = of
  if (error instanceof HubHttpError) return explainStatus(error, of, hub)
  if (nameOf(error) === 'SyntaxError')
    return new ModelCacheError({
      code: 'HUB_ERROR',
      asked,
      reason: `The response of ${hub.endpoint} is not JSON.`,
      nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
      cause: error,
    })
  if (error instanceof BrokenDownloadError)
    return new ModelCacheError({
      code: 'BROKEN_DOWNLOAD',
      asked,
      reason: `${error.message}.`,
      nextStep:
        'The next run tries again, and continues the unfinished download if it can. A proxy may cut or change files: check it and HF_ENDPOINT.',
      cause: error,
    })
  if (!isNetworkError(error)) return error
  return new ModelCacheError({
    code: 'HUB_UNREACHABLE',
    asked,
    reason: `The Hub at ${hub.endpoint} could not be reached: ${rootMessage(error)}.`,
    nextStep: 'Check the network, the proxy variables and HF_ENDPOINT; the next run tries again.',
    cause: error,
  })
}
