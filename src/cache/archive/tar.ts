import { Header } from 'tar/header'
import { type Digest, isDigest } from '../../model/digest.ts'

// An archive is a tar of plain files, as POSIX describes it ("ustar"): a block of 512 bytes about each file, then its bytes, filled up
// to whole blocks. Any tool lists and unpacks it.

/** Bytes. */
export const BLOCK = 512

/** The first member: what the archive holds. */
export const CONTENTS = 'vitest-model-cache.json'

/** The name of the member with the content of a digest: `blobs/sha256/<hex>`. */
export function memberOf(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`
}

/** The digest that the name of a member states. Undefined for any other name. */
export function digestOfMember(name: string): Digest | undefined {
  const [room, kind, hex, ...more] = name.split('/')
  const digest = `${kind}:${hex}`
  return room === 'blobs' && more.length === 0 && isDigest(digest) ? digest : undefined
}

/** The block before a member. Nothing in it depends on the machine or on the time, so the same models give the same archive. */
export function headerBlock(path: string, size: number): Buffer {
  const header = new Header({ path, size, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: 'File' })
  const block = Buffer.alloc(BLOCK)
  header.encode(block)
  return block
}

/** The zeros after a member of `size` bytes. */
export function paddingAfter(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

/** The end of an archive. */
export const END = Buffer.alloc(2 * BLOCK)

export interface Member {
  name: string
  /** Bytes. */
  size: number
}

/** Reads the block before a member. `end` for a block of zeros. A text says why the member is refused. */
export function readHeaderBlock(block: Buffer): Member | 'end' | string {
  if (block.every((byte) => byte === 0)) return 'end'
  const header = headerOf(block)
  if (!header) return 'a header is malformed'
  const { cksumValid, path, size, type, typeKey, linkpath } = header
  if (!cksumValid) return 'a header has a wrong checksum'
  const name = path ?? ''
  if (typeKey !== '0') return `its member ${JSON.stringify(name.slice(0, 100))} is no plain file, but: ${type}`
  if (linkpath) return `its member ${JSON.stringify(name.slice(0, 100))} has the target of a link`
  if (size === undefined || !Number.isSafeInteger(size)) return 'a header has no size'
  return { name, size }
}

/** Undefined for a block with an impossible number. */
function headerOf(block: Buffer): Header | undefined {
  try {
    return new Header(block)
  } catch {
    return undefined
  }
}
