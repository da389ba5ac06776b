import { ModelCacheError } from './errors.ts'

/** A checked repo id: `name` or `org/name`. */
export type RepoId = string & { readonly RepoId: unique symbol }

// The rules of huggingface_hub's validate_repo_id (utils/_validators.py): at most 96 characters, one slash,
// letters, digits, `-`, `_`, `.`; no `--`, no `..`; a part does not start or end with `-` or `.`; no `.git` at the end.
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
    reason: 'This is not a repo id of the Hugging Face Hub.',
    nextStep:
      'Write `name` or `org/name`, with letters, digits, `-`, `_` and `.`, at most 96 characters (as in "Xenova/all-MiniLM-L6-v2").',
  })
}

/** The name `org_name` in the metadata. It must not be used as a key: two repos may have the same one. */
export function modelNameOf(repo: RepoId): string {
  return repo.replace('/', '_')
}
