import { isDigest } from './digest.ts'
import { parseHubPath } from './hub-path.ts'
import { isText } from './json.ts'
import { statedFile, type Tree, type TreeFile } from './tree.ts'

// The form in which a lock file and an archive state files: `"<path>": "<digest> <bytes>"`. One string keeps a file in one line, also
// where a formatter of JSON was at work.
const FILE = /^(\S+) (0|[1-9]\d{0,15})$/

/** The lines of the files, sorted by path. */
export function printFiles(files: ReadonlyMap<string, Pick<TreeFile, 'digest' | 'size'>>): [string, string][] {
  const lines = [...files].map(([path, { digest, size }]): [string, string] => [path, `${digest} ${size}`])
  return lines.sort(([a], [b]) => compareText(a, b))
}

/** By code units: the order must be the same in each locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Reads the lines of files. Throws `UNSAFE_PATH`, and what `wrong` makes of a malformed line. */
export function parseFiles(
  fields: Readonly<Record<string, unknown>>,
  asked: string,
  wrong: (what: string) => Error,
): Tree {
  return new Map(
    Object.entries(fields).map(([path, line]) => {
      const [, digest = '', size] = FILE.exec(isText(line) ? line : '') ?? []
      if (!isDigest(digest) || !Number.isSafeInteger(Number(size)))
        throw wrong(`${JSON.stringify(path.slice(0, 100))} has no digest and size.`)
      return [parseHubPath(path, asked), statedFile(digest, Number(size))]
    }),
  )
}
