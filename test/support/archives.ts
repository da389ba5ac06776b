import { Header } from 'tar/header'
import type { EntryTypeName } from 'tar/types'

/** A member of an archive that a test makes. */
export interface Member {
  name: string
  content: string | Buffer
  type?: EntryTypeName
  linkpath?: string
  /** The size that the header states. Default: that of the content. */
  size?: number
}

const BLOCK = 512

/** A tar of these members, without any check. `end` is what follows the last member. */
export function tarOf(members: Member[], end = Buffer.alloc(2 * BLOCK)): Buffer {
  const parts = members.flatMap(({ name, content, type = 'File', linkpath, size }) => {
    const bytes = Buffer.from(content)
    const block = Buffer.alloc(BLOCK)
    new Header({ path: name, size: size ?? bytes.length, mode: 0o644, mtime: new Date(0), type, linkpath }).encode(
      block,
    )
    return [block, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]
  })
  return Buffer.concat([...parts, end])
}

/** The members of a tar of plain files. */
export function membersOf(tar: Buffer): Member[] {
  const members: Member[] = []
  for (let at = 0; at < tar.length; ) {
    const { path, size = 0, nullBlock } = new Header(tar, at)
    if (nullBlock) break
    members.push({ name: path ?? '', content: tar.subarray(at + BLOCK, at + BLOCK + size) })
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
  return members
}
