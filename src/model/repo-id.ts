import { ModelCacheError } from './errors.ts'

/** A repo id that was checked: `name` or `org/name`. */
export type RepoId = string & { readonly RepoId: unique symbol }

// The rules of huggingface_hub's validate_repo_id (utils/_validators.py): at most 96 characters, one slash,
// letters, digits, `-`, `_`, `.`; no `--`, no `..`; no `-` or `.` at an end; not ending in `.git`.
const PART = /^(?=.{1,96}$)\w(?:[\w.-]*\w)?$/

function isRepoId(text: string): text is RepoId {
  const parts = text.split('/')
  return (
    text.length <= 96 &&
    parts.length <= 2 &&
    parts.every((part) => PART.test(part)) &&
    !text.includes('--') &&
    !text.includes('..') &&
    !text.endsWith('.git')
  )
}

/** Checks a repo id. Throws `INVALID_MODEL`. */
export function parseRepoId(text: string): RepoId {
  if (isRepoId(text)) return text
  throw new ModelCacheError({
    code: 'INVALID_MODEL',
    asked: `Model ${JSON.stringify(text)}`,
    reason: 'This is no repo id of the Hugging Face Hub.',
    nextStep:
      'Write `name` or `org/name`, with letters, digits, `-`, `_` and `.`, at most 96 characters (as in "Xenova/all-MiniLM-L6-v2").',
  })
}

/** The name for people, `org_name`. Never a key: two repos may share it. */
export function modelNameOf(repo: RepoId): string {
  return repo.replace('/', '_')
}
