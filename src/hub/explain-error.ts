import { BrokenDownloadError } from '../model/broken-download.ts'
import { ModelCacheError, nameOf } from '../model/errors.ts'
import { type Asked, explainStatus } from './explain-status.ts'
import { type HubAccess, HubHttpError, isNetworkError, rootMessage } from './http.ts'

/** The error that a user sees for what went wrong between us and the Hub; what lies elsewhere comes back as it is. */
export function explainHubError(error: unknown, of: Asked, hub: HubAccess): unknown {
  const { asked } = of
  if (error instanceof HubHttpError) return explainStatus(error, of, hub)
  if (nameOf(error) === 'SyntaxError')
    return new ModelCacheError({
      code: 'HUB_ERROR',
      asked,
      reason: `${hub.endpoint} answered with something else than JSON.`,
      nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
      cause: error,
    })
  if (error instanceof BrokenDownloadError)
    return new ModelCacheError({
      code: 'BROKEN_DOWNLOAD',
      asked,
      reason: `${error.message}.`,
      nextStep:
        'The next run tries again, from where this one stood if it can. A proxy may cut or change files: check it and HF_ENDPOINT.',
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
