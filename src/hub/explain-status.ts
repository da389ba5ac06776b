import { type ErrorCode, ModelCacheError } from '../model/errors.ts'
import { inWords } from '../net/retry-after.ts'
import type { HubAccess, HubHttpError } from './http.ts'

/** The subject of a request to the Hub. */
export interface Asked {
  /** Its name in error messages. */
  asked: string
  /** Its repo, to link to the repo's page. */
  repo: string
}

/** The error for users for a response with an HTTP error status: with the Hub's message, and with advice about the token. */
export function explainStatus(error: HubHttpError, { asked, repo }: Asked, hub: HubAccess): ModelCacheError {
  const { code, reason, nextStep } = explanationOf(error, `${hub.endpoint}/${repo}`, hub)
  return new ModelCacheError({ code, asked, reason: `${reason}${quoteOf(error)}`, nextStep, cause: error })
}

interface Explanation {
  code: ErrorCode
  reason: string
  nextStep: string
}

function explanationOf(error: HubHttpError, page: string, hub: HubAccess): Explanation {
  const { status, errorCode, token } = error
  const { endpoint } = hub
  const http = `(HTTP ${status})`
  const refused = token === 'refused' ? ' The token was refused (HTTP 401).' : ''
  if (errorCode === 'RevisionNotFound')
    return {
      code: 'REVISION_NOT_FOUND',
      reason: `The repo has no such revision at ${endpoint}.`,
      nextStep: 'Check the text after "@".',
    }
  if (errorCode === 'EntryNotFound')
    return {
      code: 'FILE_NOT_FOUND',
      reason: 'The repo has no such file at this commit.',
      nextStep: 'Check the spelling of the file.',
    }
  if (errorCode === 'GatedRepo')
    return {
      code: 'GATED',
      reason: `The repo is gated${token === 'sent' ? ', and the token has no access to it' : ''}.${refused}`,
      nextStep:
        token === 'sent'
          ? `Accept its terms at ${page} with the account of the token; its authors may have to approve that.`
          : `Accept its terms at ${page}, then ${tokenAdvice(error, hub)}.`,
    }
  if (status === 401 || status === 404)
    return {
      code: 'MODEL_NOT_FOUND',
      reason: `The Hub at ${endpoint} has no such repo, or it is private${token === 'sent' ? ' and the token has no access to it' : ''} ${http}.${refused}`,
      nextStep: `Check the spelling; for a private repo ${tokenAdvice(error, hub)}.`,
    }
  if (status === 403)
    return {
      code: 'ACCESS_DENIED',
      reason: `${token === 'sent' ? 'The token has no access to this repo' : token === 'none' ? 'This repo cannot be read without a token' : 'This repo cannot be read'} ${http}.${refused}`,
      nextStep: `For access, ${tokenAdvice(error, hub)}; the page of the repo is ${page}.`,
    }
  if (status === 410 || status === 451)
    return {
      code: status === 410 ? 'MODEL_NOT_FOUND' : 'ACCESS_DENIED',
      reason: `The Hub at ${endpoint} no longer serves this repo ${http}.`,
      nextStep: `See ${page} for the reason.`,
    }
  if (status === 429) {
    const higher = `${tokenAdvice(error, hub)}: with a token the limits are higher`
    return {
      code: 'HUB_ERROR',
      reason: `The Hub at ${endpoint} limits the rate of requests ${http}.${refused}`,
      nextStep: `Try again ${inWords(error.retryAfterMs)}${token === 'sent' ? '' : `, or ${higher}`}.`,
    }
  }
  return {
    code: 'HUB_ERROR',
    reason: `The Hub answered HTTP ${status} for ${error.url}.`,
    nextStep: `Try again ${inWords(error.retryAfterMs)}.`,
  }
}

/** Advice for getting access with a token. It says "set a token" only when there is no token yet. */
function tokenAdvice({ token }: HubHttpError, { endpoint, withheld }: HubAccess): string {
  if (token === 'sent') return 'use the token of an account that has access'
  if (token === 'refused') return `replace the token with one from ${endpoint}/settings/tokens`
  if (withheld === 'plain http') return `use an https endpoint: your token is not sent over plain http to ${endpoint}`
  if (withheld === 'other endpoint')
    return `set HF_ENDPOINT or \`hub.token\` for ${endpoint}: your token belongs to another endpoint`
  return 'set HF_TOKEN, log in with `hf auth login`, or set the option `hub.token` and name the model in `models`'
}

/**
 * The Hub's own message. Left out where it would mislead: without a token, the Hub says "Invalid username or password" for a
 * repo that does not exist.
 */
function quoteOf({ said, errorCode, token }: HubHttpError): string {
  if (said === undefined || errorCode === 'EntryNotFound' || errorCode === 'RevisionNotFound') return ''
  if (errorCode === 'RepoNotFound' && token !== 'sent') return ''
  return ` The Hub says: ${/[.!?…]$/.test(said) ? said : `${said}.`}`
}
