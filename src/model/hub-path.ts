import { ModelCacheError } from './errors.ts'

/** A file's path inside a repo, checked: relative, forward slashes, stays inside every folder it is joined to. */
export type HubPath = string & { readonly HubPath: unique symbol }

// Device names that Windows reserves in every folder, with or without an extension.
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i

// What nearly all files are called, told by one look: each command reads the paths of all records.
const PLAIN = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/
const LONGEST_PART = 255

function isHubPath(text: string): text is HubPath {
  if (text.length <= LONGEST_PART && PLAIN.test(text)) return true
  if (text.length === 0 || Buffer.byteLength(text) > 1024) return false
  // Half of a character: it has no bytes of its own, so several such names would be one on disk and none in a URL.
  if (/\p{Surrogate}/u.test(text)) return false
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be refused
  if (/[\\\x00-\x1f\x7f]/.test(text) || /^[a-z]:/i.test(text)) return false
  return text.split('/').every((part) => !['', '.', '..'].includes(part) && Buffer.byteLength(part) <= LONGEST_PART)
}

/**
 * True when a file of that name can be written on the platform. Windows reserves names and characters; a repo that
 * holds such a file is not refused for it, only the file is when it is wanted.
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
