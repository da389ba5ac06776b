import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { IncomingFile } from '../../../../src/cache/store/downloads/incoming.ts'
import { sweepIncoming } from '../../../../src/cache/store/downloads/leftovers.ts'
import { Layout } from '../../../../src/cache/store/layout.ts'
import { BrokenDownloadError, DigestMismatchError } from '../../../../src/model/broken-download.ts'
import type { Digest } from '../../../../src/model/digest.ts'
import { parseRepoId } from '../../../../src/model/repo-id.ts'
import { originals } from '../../../../src/platform/originals.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const REPO = parseRepoId('org/name')

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'incoming test '))
  layout = new Layout(folder)
  await writeFile(layout.marker, '{"format":1}')
  onTestFinished(() => removeFolder(folder))
})

function sha256(content: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

async function receive(chunks: Uint8Array[], digest = sha256(Buffer.concat(chunks))): Promise<IncomingFile> {
  const size = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const incoming = await IncomingFile.claim(layout, digest, size)
  for (const chunk of chunks) await incoming.write(chunk, incoming.received)
  return incoming
}

async function visible(): Promise<string[]> {
  return readdir(layout.hub, { recursive: true }).catch(() => [])
}

test.each([
  ['no bytes', []],
  ['one byte', [Buffer.from('x')]],
  ['many small chunks', Array.from({ length: 500 }, (_, index) => Buffer.from(`chunk ${index}\n`))],
  ['chunks above a megabyte', Array.from({ length: 3 }, (_, index) => Buffer.alloc(1_500_000, index))],
])('a file with the right digest is published, read-only: %s', async (_, chunks) => {
  const content = Buffer.concat(chunks)
  const blob = layout.blob(REPO, sha256(content))
  const incoming = await receive(chunks)
  expect(await visible()).toEqual([])
  await incoming.publish(blob)
  expect(Buffer.compare(await readFile(blob), content)).toBe(0)
  expect((await stat(blob)).mode & 0o777).toBe(0o444)
  expect(await readdir(layout.incoming)).toEqual([])
})

test('the folders of a published file can be entered by their owner only', async () => {
  const content = Buffer.from('content')
  const blob = layout.blob(REPO, sha256(content))
  await (await receive([content])).publish(blob)
  for (const path of [layout.incoming, layout.hub, layout.repo(REPO)])
    expect((await stat(path)).mode & 0o777).toBe(0o700)
})

test('a file with a wrong digest is never published, and can be discarded', async () => {
  const stated = sha256(Buffer.from('the right content'))
  const incoming = await receive([Buffer.from('the wrong content')], stated)
  const refused = incoming.publish(layout.blob(REPO, stated))
  await expect(refused).rejects.toThrow(DigestMismatchError)
  // The type of errors after which a download is tried again.
  await expect(refused).rejects.toThrow(BrokenDownloadError)
  await expect(refused).rejects.toMatchObject({ expected: stated, received: sha256(Buffer.from('the wrong content')) })
  expect(await visible()).toEqual([])
  await incoming.discard()
  expect(await readdir(layout.incoming)).toEqual([])
})

test('a truncated file is never published', async () => {
  const stated = sha256(Buffer.from('content'))
  const incoming = await IncomingFile.claim(layout, stated, 7)
  await incoming.write(Buffer.from('conte'), 0)
  await expect(incoming.publish(layout.blob(REPO, stated))).rejects.toThrow(stated)
  expect(await visible()).toEqual([])
  await incoming.discard()
})

test('a small file is verified by the sha1 of its git blob', async () => {
  const stated: Digest = 'sha1:ce013625030ba8dba906f756967f9e9ca394464a'
  await (await receive([Buffer.from('hel'), Buffer.from('lo\n')], stated)).publish(layout.blob(REPO, stated))
  expect(await readFile(layout.blob(REPO, stated), 'utf8')).toBe('hello\n')
})

test('several downloads of the same blob can run at once', async () => {
  const content = Buffer.alloc(200_000, 'content')
  const blob = layout.blob(REPO, sha256(content))
  const files = await Promise.all(Array.from({ length: 5 }, () => receive([content])))
  expect(await readdir(layout.incoming)).toHaveLength(5)
  await Promise.all(files.map((file) => file.publish(blob)))
  expect(Buffer.compare(await readFile(blob), content)).toBe(0)
  expect(await readdir(layout.incoming)).toEqual([])
})

test('parts can arrive in any order', async () => {
  const content = randomBytes(5_000_000)
  const incoming = await IncomingFile.claim(layout, sha256(content), content.length)
  const lanes = [3_000_000, 0, 1_000_001].map((start, index, starts) => ({
    at: start,
    end: Math.min(...starts.filter((other) => other > start), content.length),
    step: 60_000 + index,
  }))
  while (incoming.received < content.length)
    for (const lane of lanes) {
      const chunk = content.subarray(lane.at, Math.min(lane.at + lane.step, lane.end))
      await incoming.write(chunk, lane.at)
      lane.at += chunk.length
    }
  const blob = layout.blob(REPO, sha256(content))
  await incoming.publish(blob)
  expect(Buffer.compare(await readFile(blob), content)).toBe(0)
})

test('an unfinished download with gaps is continued gap by gap', async () => {
  const content = randomBytes(6_000_000)
  const first = await IncomingFile.claim(layout, sha256(content), content.length)
  await first.write(content.subarray(0, 1_500_000), 0)
  await first.write(content.subarray(4_000_000, 5_500_000), 4_000_000)
  await first.abandon()
  const second = await IncomingFile.claim(layout, sha256(content), content.length)
  expect(second.gaps()).toEqual([
    { start: 1_500_000, end: 4_000_000 },
    { start: 5_500_000, end: 6_000_000 },
  ])
  for (const { start, end } of second.gaps()) await second.write(content.subarray(start, end), start)
  await second.publish(layout.blob(REPO, sha256(content)))
  expect(await readdir(layout.incoming)).toEqual([])
})

test('a download of another machine is neither removed nor continued, however far our clock is ahead', async () => {
  const content = randomBytes(3_000_000)
  const first = await IncomingFile.claim(layout, sha256(content), content.length)
  onTestFinished(() => first.discard())
  await first.write(content.subarray(0, 2_000_000), 0)
  const names = await readdir(layout.incoming)
  const note = names.find((name) => name.endsWith('.json')) ?? ''
  await writeFile(join(layout.incoming, note), JSON.stringify({ pid: 1, host: 'another' }))
  const now = vi.spyOn(originals, 'now').mockReturnValue(Date.now() + 48 * 3_600_000)
  onTestFinished(() => now.mockRestore())
  await sweepIncoming(layout)
  expect((await readdir(layout.incoming)).sort()).toEqual(names.sort())
  const second = await IncomingFile.claim(layout, sha256(content), content.length)
  expect(second.received).toBe(0)
  await second.discard()
})

test('a writer that was silent for long and continues does not reach the published file', async () => {
  const content = randomBytes(3_000_000)
  const first = await IncomingFile.claim(layout, sha256(content), content.length)
  await first.write(content.subarray(0, 2_000_000), 0)
  const names = await readdir(layout.incoming)
  const [note = '', left = ''] = ['.json', '.incomplete'].map((end) => names.find((name) => name.endsWith(end)))
  await writeFile(join(layout.incoming, note), JSON.stringify({ pid: 1, host: 'another' }))
  const anHourAgo = Date.now() / 1000 - 3600
  await utimes(join(layout.incoming, left), anHourAgo, anHourAgo)
  const second = await IncomingFile.claim(layout, sha256(content), content.length)
  expect(second.received).toBe(2_000_000)
  await second.write(content.subarray(2_000_000), 2_000_000)
  const blob = layout.blob(REPO, sha256(content))
  await second.publish(blob)
  // As if the Hub answered the first writer with another ETag: its download begins again from zero.
  await first.restart('"changed"')
  await first.write(Buffer.alloc(1_500_000, 'x'), 0)
  expect((await readFile(blob)).equals(content)).toBe(true)
  await first.discard()
})

test('an unfinished file that is too long is emptied, also when its note is damaged', async () => {
  const content = randomBytes(2_000_000)
  const first = await IncomingFile.claim(layout, sha256(content), content.length)
  await first.write(content.subarray(0, 1_200_000), 0)
  await first.abandon()
  const names = await readdir(layout.incoming)
  const [note = '', left = ''] = ['.json', '.incomplete'].map((end) => names.find((name) => name.endsWith(end)))
  await writeFile(join(layout.incoming, note), JSON.stringify({ written: 'damaged' }))
  await writeFile(join(layout.incoming, left), randomBytes(3_000_000))
  const second = await IncomingFile.claim(layout, sha256(content), content.length)
  await second.restart('"x"')
  await second.write(content, 0)
  const blob = layout.blob(REPO, sha256(content))
  await second.publish(blob)
  expect((await readFile(blob)).equals(content)).toBe(true)
})

test('a gap at the beginning is remembered after each abandoned download', async () => {
  const content = randomBytes(3_000_000)
  for (let times = 0; times < 3; times++) {
    const incoming = await IncomingFile.claim(layout, sha256(content), content.length)
    if (incoming.received === 0) await incoming.write(content.subarray(1_000_000), 1_000_000)
    await incoming.abandon()
  }
  const last = await IncomingFile.claim(layout, sha256(content), content.length)
  expect(last.gaps()).toEqual([{ start: 0, end: 1_000_000 }])
  await last.discard()
})

test('parts of a note that are not on disk are ignored', async () => {
  const content = randomBytes(3_000_000)
  const first = await IncomingFile.claim(layout, sha256(content), content.length)
  await first.write(content.subarray(0, 1_200_000), 0)
  await first.abandon()
  const [name = ''] = (await readdir(layout.incoming)).filter((name) => name.endsWith('.json'))
  const written = [
    { start: 0, end: 1_000_000 },
    { start: 1_100_000, end: 2_900_000 },
  ]
  await writeFile(join(layout.incoming, name), JSON.stringify({ written }))
  const second = await IncomingFile.claim(layout, sha256(content), content.length)
  expect(second.gaps()).toEqual([{ start: 1_000_000, end: 3_000_000 }])
  await second.discard()
})
