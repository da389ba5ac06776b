import { createHash } from 'node:crypto'

/**
 * The path of an object on bazel-remote. It takes two kinds of names: `cas/<sha256 of the content>`, which it checks, and `ac/<any 64 hex
 * digits>`. For all other names it answers 400.
 */
export function bazelPath(key: string): string {
  const [, sha256] = /^blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(key) ?? []
  return sha256 === undefined ? `ac/${createHash('sha256').update(key).digest('hex')}` : `cas/${sha256}`
}
