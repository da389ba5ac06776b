import { createHash } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { blobNameOf, type Digest, digestOfBlobName, Hasher, isDigest } from '../../src/model/digest.ts'
import { type Entry, entryChecksum, entryKey, entrySize, recordedDownloadMs } from '../../src/model/entry.ts'
import { parseHubPath } from '../../src/model/hub-path.ts'
import { entryWith } from '../support/entry.ts'
import fc from '../support/property.ts'
import { removeFolder } from '../support/remove-folder.ts'

const SHA1: Digest = `sha1:${'0'.repeat(40)}`
const SHA256: Digest = `sha256:${'0'.repeat(64)}`

function hashOf(kind: Digest, chunks: Uint8Array[]): Digest {
  const hasher = new Hasher(
    kind,
    chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0),
  )
  for (const chunk of chunks) hasher.update(chunk)
  return hasher.digest()
}

type FileOf = [path: string, digest: Digest, size: number, downloadMs?: number | null]

function entryOf(files: FileOf[]): Entry {
  return entryWith({
    files: new Map(
      files.map(([path, digest, size, downloadMs = null]) => [
        parseHubPath(path, 'a test'),
        { digest, size, downloadMs, mtimeMs: 0, ino: '0' },
      ]),
    ),
  })
}

describe('a digest', () => {
  test.each(['', 'hello\n', 'ünïcode\0', 'x'.repeat(100_000)])(
    'of a small file is the one of git hash-object',
    async (text) => {
      const folder = await mkdtemp(join(tmpdir(), 'digest test '))
      onTestFinished(() => removeFolder(folder))
      await writeFile(join(folder, 'file'), text)
      const { stdout } = await execa('git', ['hash-object', '--no-filters', join(folder, 'file')])
      expect(hashOf(SHA1, [Buffer.from(text)])).toBe(`sha1:${stdout}`)
    },
  )

  test('of a large file is the sha256 of its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(hashOf(SHA256, [bytes])).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
      }),
    )
  })

  test('does not depend on how the bytes are divided into chunks', () => {
    fc.assert(
      fc.property(fc.constantFrom(SHA1, SHA256), fc.array(fc.uint8Array()), (kind, chunks) => {
        expect(hashOf(kind, chunks)).toBe(hashOf(kind, [Buffer.concat(chunks)]))
      }),
    )
  })

  test('is the name of a blob, and the name gives the digest', () => {
    for (const digest of [SHA1, SHA256]) {
      expect(isDigest(digest)).toBe(true)
      expect(digestOfBlobName(blobNameOf(digest))).toBe(digest)
    }
  })

  test.each([
    '',
    'sha1:',
    'sha1:xyz',
    `sha1:${'0'.repeat(64)}`,
    `sha256:${'0'.repeat(40)}`,
    SHA1.toUpperCase(),
    `${SHA256}\n`,
  ])('cannot be %j', (text) => {
    expect(isDigest(text)).toBe(false)
  })

  test('is not found in an invalid blob name', () => {
    for (const name of ['', '..', 'A'.repeat(40), 'a'.repeat(41), `${'a'.repeat(64)}.incomplete`])
      expect(digestOfBlobName(name)).toBeUndefined()
  })
})

describe('an entry', () => {
  const one: Digest = `sha1:${'1'.repeat(40)}`
  const two: Digest = `sha256:${'2'.repeat(64)}`

  test('has the sha256 of its sorted lines as its checksum', () => {
    const lines = `a.json\0${one}\nonnx/model.onnx\0${two}\n`
    const expected = createHash('sha256').update(lines).digest('hex')
    const files: FileOf[] = [
      ['onnx/model.onnx', two, 9],
      ['a.json', one, 5],
    ]
    expect(entryChecksum(entryOf(files))).toBe(expected)
    expect(entryChecksum(entryOf(files.reverse()))).toBe(expected)
  })

  test('sorts the lines by bytes, not by UTF-16 code units', () => {
    // U+FFFD is 3 bytes in UTF-8 and 1 code unit, U+1F600 is 4 bytes and 2 code units: the two orders differ.
    const paths = ['\u{1F600}', '\uFFFD', 'z', 'Z', 'a-b', 'a/b', 'a.b']
    const sorted = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(sorted).not.toEqual([...paths].sort())
    const expected = createHash('sha256')
      .update(sorted.map((path) => `${path}\0${one}\n`).join(''))
      .digest('hex')
    expect(entryChecksum(entryOf(paths.map((path) => [path, one, 1])))).toBe(expected)
  })

  test('has a different checksum if a path or a digest differs', () => {
    const checksums = [
      entryOf([]),
      entryOf([['a', one, 1]]),
      entryOf([['b', one, 1]]),
      entryOf([['a', two, 1]]),
      entryOf([
        ['a', one, 1],
        ['b', one, 1],
      ]),
    ].map(entryChecksum)
    expect(new Set(checksums).size).toBe(checksums.length)
  })

  test('counts content once in its size if two files share it', () => {
    expect(entrySize(entryOf([]))).toBe(0)
    expect(
      entrySize(
        entryOf([
          ['a', one, 5],
          ['b', one, 5],
          ['c', two, 7],
        ]),
      ),
    ).toBe(12)
  })

  test('has a key of repo and commit', () => {
    expect(entryKey(entryOf([]))).toBe('org/name@0123456789abcdef0123456789abcdef01234567')
  })

  test('has a recorded download time only if the time of each file is known', () => {
    const entry = entryOf([
      ['a', one, 5, 10],
      ['b', two, 5, 2.5],
      ['c', two, 5, null],
    ])
    const [a, b, c, missing] = ['a', 'b', 'c', 'd'].map((path) => parseHubPath(path, 'a test'))
    const took = (...paths: (typeof a)[]) =>
      recordedDownloadMs(
        entry,
        paths.flatMap((path) => path ?? []),
      )
    expect([took(), took(a), took(a, b), took(a, c), took(a, missing)]).toEqual([0, 10, 12.5, null, null])
  })
})
