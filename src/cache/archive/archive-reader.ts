import { createReadStream, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Digest } from '../../model/digest.ts'
import { archiveStream } from './archive-stream.ts'
import { ByteReader, EarlyEndError } from './byte-reader.ts'
import { type ArchivedModel, LARGEST_CONTENTS, parseContents } from './contents.ts'
import { NAME_ONE, refused } from './refusal.ts'
import { BLOCK, CONTENTS, digestOfMember, type Member, memberOf, paddingAfter, readHeaderBlock } from './tar.ts'

const READ_BYTES = 1 << 20
// Programs fill an archive up with zeros, to 10 kB or more.
const LARGEST_TAIL = 1 << 20

/**
 * Reads an archive from the beginning to the end. The first member states all others and their order, so anything else is refused:
 * a link, another name, a second member of a name, another size. Nothing is unpacked by name. All methods throw `ARCHIVE_REFUSED`.
 */
export class ArchiveReader {
  private constructor(
    /** For messages. */
    readonly name: string,
    readonly models: ArchivedModel[],
    readonly bytes: ByteReader,
  ) {}

  /** Opens an archive at a path, or one that a stream delivers, and reads what it holds. */
  static async open(source: string | Readable, signal?: AbortSignal): Promise<ArchiveReader> {
    const name = typeof source === 'string' ? source : 'from standard input'
    const stream = typeof source === 'string' ? createReadStream(source, { highWaterMark: READ_BYTES }) : source
    const bytes = new ByteReader(archiveStream(stream, name, { bytes: sizeOf(source), signal }))
    try {
      const member = await nextMember(bytes, name)
      if (member?.name !== CONTENTS)
        throw refused(
          name,
          `Its first member is ${member ? JSON.stringify(member.name.slice(0, 100)) : 'missing'}, and not ${CONTENTS}.`,
          NAME_ONE,
        )
      if (member.size > LARGEST_CONTENTS)
        throw refused(name, `Its list of contents has ${member.size} bytes, and at most ${LARGEST_CONTENTS} are read.`)
      const text = await complete(name, CONTENTS, async () => {
        const content = await bytes.read(member.size)
        await bytes.read(paddingAfter(member.size))
        return content.toString('utf8')
      })
      return new ArchiveReader(name, parseContents(text, name), bytes)
    } catch (error) {
      await bytes.close()
      throw error
    }
  }

  /** Reads the content of the next member, which must be that of `digest`, and gives its pieces to `take`. The digest is not checked. */
  async readBlob(digest: Digest, size: number, take: (piece: Buffer) => Promise<void> | void): Promise<void> {
    const member = await nextMember(this.bytes, this.name)
    const expected = memberOf(digest)
    if (!member) throw refused(this.name, `It ends before ${expected}, which it lists.`)
    if (member.name !== expected) throw this.#unexpected(member.name, expected)
    if (member.size !== size)
      throw refused(this.name, `${expected} has ${member.size} bytes, and the list of contents states ${size}.`)
    await complete(this.name, expected, async () => {
      for await (const piece of this.bytes.pieces(size)) await take(piece)
      await this.bytes.read(paddingAfter(size))
    })
  }

  /** Checks that nothing follows. */
  async end(): Promise<void> {
    const member = await nextMember(this.bytes, this.name)
    if (member) throw this.#unexpected(member.name, 'the end')
    for (let seen = 0; ; ) {
      const piece = await this.bytes.any()
      if (!piece) return
      seen += piece.length
      if (seen > LARGEST_TAIL || piece.some((byte) => byte !== 0))
        throw refused(this.name, 'More data follows its end.')
    }
  }

  async close(): Promise<void> {
    await this.bytes.close()
  }

  #unexpected(name: string, expected: string): Error {
    const shown = JSON.stringify(name.slice(0, 100))
    const isOurs = digestOfMember(name) !== undefined
    return refused(
      this.name,
      isOurs
        ? `Its member ${shown} stands where ${expected} is expected: it is not listed, or stands twice.`
        : `Its member ${shown} has a name that no archive of this package has.`,
    )
  }
}

/** Undefined for a stream and for a pipe. */
function sizeOf(source: string | Readable): number | undefined {
  const stats = typeof source === 'string' ? statSync(source, { throwIfNoEntry: false }) : undefined
  return stats?.isFile() ? stats.size : undefined
}

/** The next member. Undefined at the end. */
async function nextMember(bytes: ByteReader, name: string): Promise<Member | undefined> {
  const block = await complete(name, 'a member', () => bytes.read(BLOCK))
  const member = readHeaderBlock(block)
  if (typeof member === 'object') return member
  if (member === 'end') return undefined
  throw refused(name, `It is damaged, or was not made by this package: ${member}.`)
}

async function complete<T>(name: string, what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof EarlyEndError) throw refused(name, `It is cut off in ${what}.`, undefined, error)
    throw error
  }
}
