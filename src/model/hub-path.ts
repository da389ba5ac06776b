import { ModelCacheError } from './errors.ts'

/** The checked path of a file in a repo: relative, with forward slashes. Joined to a folder, it stays inside that folder. */
export type HubPath = string & { readonly HubPath: unique symbol }

// Device names that Windows reserves in every folder, with or without an extension.
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i

// Fast check that accepts nearly all file names. Each command checks the paths of all records, so speed matters.
const PLAIN = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/
const LONGEST_PART = 255

function isHubPath(text: string): text is HubPath {
  if (text.length <= LONGEST_PART && PLAIN.test(text)) return true
  if (text.length === 0 || Buffer.byteLength(text) > 1024) return false
  // A lone surrogate has no UTF-8 encoding: different names would become one name on disk, and a URL can't hold them.
  if (/\p{Surrogate}/u.test(text)) return false
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must be refused
  if (/[\\\x00-\x1f\x7f]/.test(text) || /^[a-z]:/i.test(text)) return false
  return text.split('/').every((part) => !['', '.', '..'].includes(part) && Buffer.byteLength(part) <= LONGEST_PART)
}

/**
 * True when a file with that name can be written on the platform. Windows reserves some names and characters. A repo with
 * such a file can be used: only a request for that file is refused.
 */
export function isWritable(path: HubPath, platform: NodeJS.Platform = process.platform): boolean {
  if (platform !== 'win32') return true
  return path.split('/').every((part) => !RESERVED.test(part) && !/[<>:"|?*]|[. ]$/.test(part))
}

/** Checks a path that came from the Hub, from metadata or from a user. Throws `UNSAFE_PATH`. */
export function parseHubPath(text: string, asked: string): HubPath {
  if (isHubPath(text)) return text
  throw new ModelCacheError({
    code: 'UNSAFE_PATH',
    asked,
    reason: `The file name ${JSON.stringify(text.slice(0, 200))} could lead out of the cache folder or can't exist on every system.`,
    nextStep: 'File names in a repo are relative, with forward slashes and no "..": report the repo to its owner.',
  })
}
