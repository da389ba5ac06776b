import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { type ArchivedModel, parseContents, printContents } from '../../src/cache/archive/contents.ts'
import { ACCESS } from '../../src/model/entry.ts'
import { parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit } from '../../src/model/revision.ts'
import { statedFile } from '../../src/model/tree.ts'
import { membersOf, tarOf } from '../support/archives.ts'
import { Engine, refusalOf } from '../support/engine.ts'
import { cases, damage, FUZZ_TIMEOUT, mutate, mutation, spoil, tolerated, toleratedNow } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
const name = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,8}[a-z0-9]$/).filter((text) => !/--|\.\.|\.git$/.test(text))
const file = fc
  .tuple(
    fc.oneof(
      hex(64).map((hex) => `sha256:${hex}` as const),
      hex(40).map((hex) => `sha1:${hex}` as const),
    ),
    fc.nat(),
  )
  .map(([digest, size]) => statedFile(digest, size))
const files = fc
  .dictionary(name, file, { maxKeys: 5 })
  .map((all) => new Map(Object.entries(all).map(([path, each]) => [parseHubPath(path, ''), each])))

const model: fc.Arbitrary<ArchivedModel> = fc
  .record({
    repo: fc.tuple(name, name).map((parts) => parseRepoId(parts.join('/'))),
    revision: name,
    commit: hex(40).filter(isCommit),
    endpoint: fc.constantFrom('https://huggingface.co', 'http://127.0.0.1:8080/hub', undefined),
    access: fc.constantFrom(...ACCESS),
    refs: fc.dictionary(name, fc.nat()).map((refs) => new Map(Object.entries(refs))),
    names: fc.array(name.map(parseRepoId), { maxLength: 2 }),
    files,
    answers: fc
      .dictionary(
        hex(32).map((hex) => `${hex}.json`),
        fc.record({ at: fc.nat(), headers: fc.dictionary(name, fc.string()), body: fc.string() }),
        { maxKeys: 2 },
      )
      .map((answers) => new Map(Object.entries(answers))),
  })
  .map((parts) => ({ ...parts, selections: [{ key: '{}', files: [...parts.files.keys()], used: true }] }))

/** One digest has one size. */
const models = fc.uniqueArray(model, { maxLength: 4, selector: ({ repo }) => repo }).filter((all) => {
  const stated = all.flatMap(({ files }) => [...files.values()])
  return stated.every(({ digest, size }) => stated.every((other) => other.digest !== digest || other.size === size))
})

test('a list of contents is read as it was written, and a changed one is read or refused', () => {
  fc.assert(
    fc.property(models, mutation, (written, change) => {
      const text = printContents(written)
      expect(parseContents(text, 'x.tar')).toEqual(written)
      const changed = JSON.stringify(mutate(JSON.parse(text), change)) ?? ''
      const read = toleratedNow(() => parseContents(changed, 'x.tar'))
      // What is read is written and read again without a change.
      if (read) expect(parseContents(printContents(read), 'x.tar')).toEqual(read)
    }),
    cases(1000),
  )
})

/** Another byte, fewer bytes, or bytes from elsewhere. */
const flaw = fc.oneof(
  fc.record({ cutAt: fc.nat() }),
  fc.record({ flipAt: fc.nat(), bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ copyTo: fc.nat(), from: fc.nat(), blocks: fc.integer({ min: 1, max: 6 }) }),
)

function flawed(
  bytes: Buffer,
  how: { cutAt: number } | { flipAt: number; bits: number } | { copyTo: number; from: number; blocks: number },
): Buffer {
  if ('cutAt' in how) return bytes.subarray(0, how.cutAt % bytes.length)
  const copy = Buffer.from(bytes)
  if ('flipAt' in how) {
    const at = how.flipAt % copy.length
    copy[at] = (copy[at] ?? 0) ^ how.bits
    return copy
  }
  const block = (at: number) => 512 * (at % Math.ceil(bytes.length / 512))
  bytes.copy(copy, block(how.copyTo), block(how.from), block(how.from) + 512 * how.blocks)
  return copy
}

test(
  'a damaged archive is imported in part or refused, and nothing wrong is kept',
  async () => {
    const engine = await Engine.start(onTestFinished)
    for (const name of ['org/a', 'org/b']) {
      engine.hub.addRepo(name, { files: { 'config.json': `{"name":"${name}"}`, 'weights.bin': name.repeat(300) } })
      await engine.open().get(name)
    }
    await engine.open().exportTo(join(engine.folder, 'models.tar'))
    const valid = await readFile(join(engine.folder, 'models.tar'))
    const [first, ...rest] = membersOf(valid)
    engine.hub.clearRequests()
    let number = 0
    const property = fc.asyncProperty(
      fc.oneof(
        flaw,
        damage.map((how) => ({ how })),
      ),
      fc.boolean(),
      async (flaw, isGzip) => {
        const bytes =
          'how' in flaw
            ? tarOf([
                { name: 'vitest-model-cache.json', content: Buffer.from(spoil(String(first?.content), flaw.how)) },
                ...rest,
              ])
            : flawed(isGzip ? gzipSync(valid) : valid, flaw)
        const cacheDir = join(engine.folder, 'caches', String(number++))
        const cache = engine.open({ cacheDir, offline: true })
        await tolerated(cache.importFrom(Readable.from([bytes])))
        expect((await cache.verify()).problems).toEqual([])
        for (const { repo } of await cache.list()) await tolerated(cache.get(repo))
        expect(await readdir(join(cacheDir, 'incoming')).catch(() => [])).toEqual([])
        // The right one is imported, unless the wrong one said otherwise about the same commit.
        const again = await cache
          .importFrom(Readable.from([valid]))
          .catch((error: unknown) => refusalOf(Promise.reject(error)))
        if ('models' in again) expect(again.models).toHaveLength(2)
        else expect(again.message).toMatch(/in this cache/)
      },
    )
    await fc.assert(property, cases(400))
    expect((await readdir(engine.folder)).sort()).toEqual(['cache', 'caches', 'models.tar'])
    expect(engine.hub.requests).toEqual([])
  },
  FUZZ_TIMEOUT,
)
