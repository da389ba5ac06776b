import { printableCause, printableLines } from './printable.ts'

/** The kinds of failure, for programs. A code is never renamed. Each has its part in docs/troubleshooting.md. */
export const ERROR_CODES = [
  'INVALID_MODEL',
  'INVALID_OPTION',
  'MODEL_NOT_FOUND',
  'REVISION_NOT_FOUND',
  'FILE_NOT_FOUND',
  'ACCESS_DENIED',
  'GATED',
  'OFFLINE',
  'HUB_UNREACHABLE',
  'HUB_ERROR',
  'UNSAFE_PATH',
  'DIGEST_MISMATCH',
  'BROKEN_DOWNLOAD',
  'TOO_LARGE',
  'CACHE_UNUSABLE',
  'CACHE_FORMAT',
  'NOT_A_CACHE',
  'IN_USE',
  'NOT_LOCKED',
  'LOCK_MISMATCH',
  'LOCK_BROKEN',
  'REMOTE_UNUSABLE',
  'ARCHIVE_REFUSED',
  'UNIT_MODE',
  'PROVIDER_UNKNOWN',
  'PROVIDER_FAILED',
  'RUNTIME_MISSING',
  'NOT_SET_UP',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

export interface ErrorParts {
  code: ErrorCode
  /** The subject of the request: a model, an option, a file. */
  asked: string
  /** Why the request failed, as a sentence. */
  reason: string
  /** What to do next, as a sentence. */
  nextStep: string
  cause?: unknown
}

/** The error class of this package. It tells what was asked, why it failed, and what to do next. */
export class ModelCacheError extends Error {
  override readonly name = 'ModelCacheError'
  readonly code: ErrorCode
  readonly asked: string
  readonly reason: string
  readonly nextStep: string

  /** Makes all parts printable: they hold names and texts from outside, and test runners print errors unchanged. */
  constructor({ code, cause, asked, reason, nextStep }: ErrorParts) {
    super(
      printableLines(`${asked}: ${reason} ${nextStep} [${code}] (more: npx vitest-model-cache explain ${code})`),
      cause === undefined ? {} : { cause: printableCause(cause) },
    )
    this.code = code
    this.asked = printableLines(asked)
    this.reason = printableLines(reason)
    this.nextStep = printableLines(nextStep)
  }

  /** The parts without the cause, to send the error from the main process to a worker. */
  toJSON(): Omit<ErrorParts, 'cause'> {
    return { code: this.code, asked: this.asked, reason: this.reason, nextStep: this.nextStep }
  }
}

/** A value of any type as text for an error message: JSON where that is possible. */
export function showValue(value: unknown): string {
  for (const show of [JSON.stringify, String]) {
    try {
      const text = show(value)
      if (text !== undefined) return text
    } catch {
      // JSON.stringify throws for BigInt and for circular objects. String throws for objects without a prototype.
    }
  }
  return Object.prototype.toString.call(value)
}

// The functions below do not use `instanceof Error`: in a vm context, errors of Node.js come from another realm.

/** The message of a thrown value of any type. */
export function messageOf(error: unknown): string {
  return textField(error, 'message') ?? String(error)
}

/** A text as a sentence: with one full stop at its end. */
export function asSentence(text: string): string {
  return `${text.replace(/[.\s]+$/, '')}.`
}

/** The `name` of a thrown value (`SyntaxError`, `AbortError`...), or undefined. */
export function nameOf(error: unknown): string | undefined {
  return textField(error, 'name')
}

/** The `code` of a Node.js system error (`ENOENT`...), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return textField(error, 'code')
}

/** True for errors of the operating system (`ENOSPC`, `EACCES`...), false for those of Node.js (`ERR_INVALID_URL`). */
export function isSystemError(error: unknown): boolean {
  return /^E(?!RR_)[A-Z0-9]+$/.test(systemCode(error) ?? '')
}

function textField(error: unknown, field: string): string | undefined {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined
  return typeof value === 'string' ? value : undefined
}
