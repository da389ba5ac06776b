import { ModelCacheError } from './errors.ts'

/** A full commit sha: 40 lower-case hexadecimal digits. */
export type Commit = string & { readonly Commit: unique symbol }

export function isCommit(text: string): text is Commit {
  return /^[0-9a-f]{40}$/.test(text)
}

/** Checks a commit sha that the Hub sent. Throws `HUB_ERROR`. */
export function parseCommit(text: string, asked: string): Commit {
  if (isCommit(text)) return text
  throw new ModelCacheError({
    code: 'HUB_ERROR',
    asked,
    reason: `The Hub answered with ${JSON.stringify(text.slice(0, 80))} instead of a commit sha.`,
    nextStep: 'Check that `hub.endpoint` (or HF_ENDPOINT) is a Hugging Face Hub.',
  })
}

/**
 * Checks a revision: branch, tag, `refs/pr/1` or commit. It becomes a file name under `refs/`, so it must obey those rules
 * of `git check-ref-format` that keep the file inside its folder. Throws `INVALID_MODEL`.
 */
export function parseRevision(text: string, asked: string): string {
  const parts = text.split('/')
  const safe =
    text.length <= 200 &&
    /^[\w.+\-/=@]+$/.test(text) &&
    parts.every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
  if (safe) return text
  throw new ModelCacheError({
    code: 'INVALID_MODEL',
    asked,
    reason: `${JSON.stringify(text)} is not a valid revision.`,
    nextStep: 'Write a branch, a tag or a commit sha, such as "main", "v1.0" or "refs/pr/1".',
  })
}
