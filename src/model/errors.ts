import { printableCause, printableLines } from './printable.ts'

/** What went wrong, for programs. Stable: a code is never renamed. */
export type ErrorCode =
  | 'INVALID_MODEL'
  | 'INVALID_OPTION'
  | 'MODEL_NOT_FOUND'
  | 'REVISION_NOT_FOUND'
  | 'FILE_NOT_FOUND'
  | 'ACCESS_DENIED'
  | 'GATED'
  | 'OFFLINE'
  | 'HUB_UNREACHABLE'
  | 'HUB_ERROR'
  | 'UNSAFE_PATH'
  | 'DIGEST_MISMATCH'
  | 'BROKEN_DOWNLOAD'
  | 'TOO_LARGE'
  | 'CACHE_UNUSABLE'
  | 'CACHE_FORMAT'
  | 'NOT_A_CACHE'
  | 'IN_USE'
  | 'UNIT_MODE'
  | 'PROVIDER_UNKNOWN'
  | 'PROVIDER_FAILED'
  | 'RUNTIME_MISSING'
  | 'NOT_SET_UP'

export interface ErrorParts {
  code: ErrorCode
  /** What was asked for: a model, an option, a file. */
  asked: string
  /** Why it failed, as a sentence. */
  reason: string
  /** What to do next, as a sentence. */
  nextStep: string
  cause?: unknown
}

/** The one error class of this package: what was asked, why it failed, what to do next. */
export class ModelCacheError extends Error {
  override readonly name = 'ModelCacheError'
  readonly code: ErrorCode
  readonly asked: string
  readonly reason: string
  readonly nextStep: string

  /** Runners print errors as they are, and the parts hold names and texts from outside: they are made printable here. */
  constructor({ code, cause, asked, reason, nextStep }: ErrorParts) {
    super(printableLines(`${asked}: ${reason} ${nextStep} [${code}]`), { cause: printableCause(cause) })
    this.code = code
    this.asked = printableLines(asked)
    this.reason = printableLines(reason)
    this.nextStep = printableLines(nextStep)
  }

  /** The parts without the cause, for crossing from the main process to a worker. */
  toJSON(): Omit<ErrorParts, 'cause'> {
    return { code: this.code, asked: this.asked, reason: this.reason, nextStep: this.nextStep }
  }
}

/** A value as a user wrote it, whatever it is. */
export function showValue(value: unknown): string {
  for (const show of [JSON.stringify, String]) {
    try {
      const text = show(value)
      if (text !== undefined) return text
    } catch {
      // JSON has no BigInt and no object that holds itself; one without a prototype is no text either.
    }
  }
  return Object.prototype.toString.call(value)
}

// What follows never asks `instanceof Error`: in a vm context, what Node.js throws is another realm's Error.

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return textField(error, 'message') ?? String(error)
}

/** The `name` of anything thrown: `SyntaxError`, `AbortError`... */
export function nameOf(error: unknown): string | undefined {
  return textField(error, 'name')
}

/** The `code` of a Node.js system error (`ENOENT`...), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return textField(error, 'code')
}

/** True for what the system refused (`ENOSPC`, `EACCES`...), not for Node.js's own errors (`ERR_INVALID_URL`). */
export function isSystemError(error: unknown): boolean {
  return /^E(?!RR_)[A-Z0-9]+$/.test(systemCode(error) ?? '')
}

function textField(error: unknown, field: string): string | undefined {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined
  return typeof value === 'string' ? value : undefined
}
