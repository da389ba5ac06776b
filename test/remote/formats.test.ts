import { describe, expect, test } from 'vitest'
import { idFrom } from '../../src/model/chunk-id.ts'
import { isDigest } from '../../src/model/digest.ts'
import { ModelCacheError } from '../../src/model/errors.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit, parseRevision } from '../../src/model/revision.ts'
import { addToTree, type Tree } from '../../src/model/tree.ts'
import { type ChunkMap, largestMap, parseMap, parseSources, printMap, sourcesOf } from '../../src/remote/chunk-map.ts'
import {
  blobKey,
  bundleKey,
  listingKey,
  mapKey,
  type RemoteModel,
  refKey,
  signatureKey,
} from '../../src/remote/keys.ts'
import { type Listing, parseListing, printListing } from '../../src/remote/listing.ts'
import { parseKey } from '../../src/remote/parse-key.ts'
import { parseRef, printRef, type RemoteRef } from '../../src/remote/refs.ts'
import { readSigningKey, SigningKey } from '../../src/remote/signature.ts'
import { chooseSmallFiles, packBundle, unpackBundle } from '../../src/remote/small-bundle.ts'
import { UnusableObject } from '../../src/remote/unusable.ts'
import { gitSha1, sha256 } from '../support/engine.ts'
import { cases, type Damage, damage, FUZZ_TIMEOUT, hostileText, spoil } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const key = new SigningKey('k'.repeat(32))
const otherKey = new SigningKey('o'.repeat(32))

/** An object whose first line is a header: with a spoilt header, with one bit changed, and cut off. */
function damagedForms(bytes: Buffer, how: Damage, at: number): Buffer[] {
  const headerEnd = bytes.indexOf('\n')
  const header = Buffer.from(spoil(bytes.subarray(0, headerEnd).toString(), how))
  const flipped = Buffer.from(bytes)
  flipped[at % flipped.length] = (flipped[at % flipped.length] ?? 0) ^ 1
  return [Buffer.concat([header, bytes.subarray(headerEnd)]), flipped, bytes.subarray(0, at % bytes.length)]
}

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const anyPath = fc
  .array(fc.string({ unit: fc.constantFrom(...'ab1_."é☃ '), minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 3,
  })
  .filter((parts) => !parts.includes('.') && !parts.includes('..'))
  .map((parts) => parts.join('/'))
const anyTree = fc
  .array(fc.tuple(fc.oneof(anyPath, fc.constantFrom('__proto__', '1', '10')), fc.maxSafeNat(), hex(64), fc.boolean()))
  .map((files) => {
    const tree: Tree = new Map()
    for (const [path, size, digits, isLfs] of files) {
      const digests = isLfs ? { sha256: digits } : { gitId: digits.slice(0, 40) }
      addToTree(tree, { path, size, ...digests }, 'a test')
    }
    return tree
  })
const anyModel: fc.Arbitrary<RemoteModel> = fc.record({
  endpoint: fc.constantFrom('https://huggingface.co', 'http://127.0.0.1:8080/mirror', 'https://HF.example'),
  repo: fc.constantFrom('org/a', 'org/A', 'gpt2', 'org_a', 'a/b-c', 'a-b/c', 'a.b/c').map(parseRepoId),
  commit: hex(40).filter(isCommit),
})
const anyListing: fc.Arbitrary<Listing> = fc
  .tuple(
    anyModel,
    fc.record(
      { access: fc.constantFrom('public', 'gated', 'private', 'unknown'), task: fc.string(), files: anyTree },
      { requiredKeys: ['access', 'files'] },
    ),
  )
  .map(([model, rest]) => ({ ...model, ...rest }))
const anyRevision = fc
  .oneof(fc.constantFrom('main', 'v1.0', 'V1.0', 'refs/pr/1', 'a_b', 'a/b', 'a+b', 'a@b'), hostileText)
  .filter((text) => {
    try {
      return parseRevision(text, '') === text
    } catch {
      return false
    }
  })
const anyRef: fc.Arbitrary<RemoteRef> = fc
  .tuple(anyModel, anyRevision, fc.nat(Date.parse('2026-01-01')))
  .map(([model, revision, atMs]) => ({ ...model, revision, atMs }))
const anySmallFiles = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean()), { maxLength: 12 })
  .map((contents) =>
    chooseSmallFiles(
      contents.map(([bytes, isLfs]) => {
        const digest = isLfs ? `sha256:${sha256(bytes)}` : `sha1:${gitSha1(bytes)}`
        if (!isDigest(digest)) throw new Error(digest)
        return { digest, size: bytes.length, bytes }
      }),
    ),
  )

/** The result, or undefined for an object that is refused. Any other error fails the test. */
function accepted<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof UnusableObject) return undefined
    throw error
  }
}

const KINDS = ['listing', 'bundle', 'signature', 'ref']

describe('keys', () => {
  test('are different for different things, on disks that do not distinguish capital letters too', () => {
    fc.assert(
      fc.property(anyRef, anyRef, (a, b) => {
        const isSameModel = a.endpoint === b.endpoint && a.repo === b.repo && a.commit === b.commit
        const isSameRef = a.endpoint === b.endpoint && a.repo === b.repo && a.revision === b.revision
        for (const keyOf of [listingKey, bundleKey, (model: RemoteModel) => signatureKey(model, key.id)])
          expect(keyOf(a) === keyOf(b)).toBe(isSameModel)
        expect(refKey(a, key.id) === refKey(b, key.id)).toBe(isSameRef)
        const c = { ...a, revision: b.revision }
        expect(refKey(a, key.id).toLowerCase() === refKey(c, key.id).toLowerCase()).toBe(a.revision === b.revision)
        expect(new Set([listingKey(a), bundleKey(a), signatureKey(a, key.id), signatureKey(a, otherKey.id)]).size).toBe(
          4,
        )
      }),
      cases(2000),
    )
  })

  test('are known as ours again, and are safe names of files: no empty part, no `.` or `..`, at most 255 bytes a part', () => {
    fc.assert(
      fc.property(anyRef, (ref) => {
        const kinds = [parseKey(listingKey(ref)), parseKey(bundleKey(ref)), parseKey(signatureKey(ref, key.id))]
        expect([...kinds, parseKey(refKey(ref, key.id))].map((is) => is?.kind)).toEqual(KINDS)
        for (const each of [listingKey(ref), bundleKey(ref), signatureKey(ref, key.id), refKey(ref, key.id)]) {
          expect(each).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/)
          for (const part of each.split('/')) expect(part.length).toBeLessThan(256)
        }
      }),
      cases(2000),
    )
    for (const digest of [`sha256:${'ab'.repeat(32)}`, `sha1:${'cd'.repeat(20)}`] as const)
      expect(parseKey(blobKey(digest))).toEqual({ kind: 'blob' })
    for (const strange of [
      'blobs/sha256/ab/notes',
      `blobs/sha256/cd/${'ab'.repeat(32)}`,
      'models/README',
      'refs/a/b/c',
    ])
      expect(parseKey(strange)).toBeUndefined()
    expect(blobKey(`sha256:${'ab'.repeat(32)}`)).toBe(`blobs/sha256/ab/${'ab'.repeat(32)}`)
    const model = { endpoint: 'https://huggingface.co', repo: parseRepoId('Xenova/b'), commit: 'c'.repeat(40) as never }
    expect(listingKey(model)).toMatch(/^models\/huggingface\.co-[0-9a-f]{16}\/Xenova--b\/c{40}\/listing\.json$/)
    expect(refKey({ ...model, revision: 'refs/pr/1' }, 'id')).toMatch(/^refs\/\S+\/Xenova--b\/refs_2fpr_2f1\.id\.json$/)
  })
})

describe('a listing', () => {
  test('is parsed to what was printed, whatever the order of its files', () => {
    fc.assert(
      fc.property(anyListing, (listing) => {
        const bytes = printListing(listing)
        expect(parseListing(bytes)).toEqual({ ...listing, files: stated(listing.files) })
        expect(printListing({ ...listing, files: new Map([...listing.files].reverse()) })).toEqual(bytes)
      }),
      cases(1000),
    )
  })

  test('that is damaged is refused, or says the same in the same bytes', { timeout: FUZZ_TIMEOUT }, () => {
    fc.assert(
      fc.property(anyListing, damage, (listing, how) => {
        const bytes = spoil(Buffer.from(printListing(listing)).toString(), how)
        const parsed = accepted(() => parseListing(bytes))
        if (parsed) expect(Buffer.from(printListing(parsed)).equals(bytes)).toBe(true)
      }),
      cases(6000),
    )
  })

  test.each([
    ['a newer version', '"formatVersion":1', '"formatVersion":2', 'A newer version of vitest-model-cache wrote it.'],
    ['a path that leads out', '"config.json"', '"../config.json"', 'could lead out of the cache folder'],
    ['a second line for a file', '\n]}', `,\n["config.json","sha1:${'b'.repeat(40)}",1]\n]}`, 'not in the exact form'],
    ['a field more', '"access"', '"admin":true,"access"', 'not in the exact form'],
    ['a negative size', ',7]', ',-7]', 'no path, digest or size'],
    ['another kind of digest', 'sha1:', 'md5:', 'no path, digest or size'],
    ['an endpoint with a password', 'https://', 'https://me:secret@', '`endpoint` is not valid'],
  ])('with %s is refused, and the error says why', (_, text, other, reason) => {
    const files = new Map([['config.json' as never, { size: 7, digest: `sha1:${'a'.repeat(40)}` as const, gitId: '' }]])
    const model = { endpoint: 'https://huggingface.co', repo: parseRepoId('a/b'), commit: 'c'.repeat(40) as never }
    const printed = Buffer.from(printListing({ ...model, access: 'public', files })).toString()
    expect(parseListing(Buffer.from(printed)).files.size).toBe(1)
    expect(printed).toContain(text)
    expect(() => parseListing(Buffer.from(printed.replace(text, other)))).toThrow(reason)
  })
})

function stated(files: Tree): Tree {
  return new Map([...files].map(([path, file]) => [path, { ...file, gitId: file.digest.split('sha1:')[1] ?? '' }]))
}

describe('a ref', () => {
  test('is accepted only with the signature of its key, and not after a change', { timeout: FUZZ_TIMEOUT }, () => {
    fc.assert(
      fc.property(anyRef, damage, (ref, how) => {
        const bytes = printRef(ref, key)
        expect(parseRef(bytes, key)).toEqual(ref)
        expect(accepted(() => parseRef(bytes, otherKey))).toBeUndefined()
        const changed = spoil(Buffer.from(bytes).toString(), how)
        if (!Buffer.from(bytes).equals(changed)) expect(accepted(() => parseRef(changed, key))).toBeUndefined()
      }),
      cases(4000),
    )
  })

  test('of tomorrow is refused: it would outlast all later ones', () => {
    const model = { endpoint: 'https://huggingface.co', repo: parseRepoId('a/b'), commit: 'c'.repeat(40) as never }
    const bytes = printRef({ ...model, revision: 'main', atMs: Date.now() + 2 * 86_400_000 }, key)
    expect(() => parseRef(bytes, key)).toThrow('Its time is in the future.')
  })
})

describe('a signature', () => {
  test('of one kind is not valid for another kind, another content or another key', () => {
    const signature = key.sign('listing', 'content')
    expect(key.isSigned('listing', 'content', signature)).toBe(true)
    expect(key.isSigned('ref', 'content', signature)).toBe(false)
    expect(key.isSigned('listing', 'Content', signature)).toBe(false)
    expect(otherKey.isSigned('listing', 'content', signature)).toBe(false)
    for (const wrong of ['', signature.slice(1), `${signature}00`, signature.toUpperCase(), 'g'.repeat(64)])
      expect(key.isSigned('listing', 'content', wrong)).toBe(false)
    expect(key.id).not.toBe(otherKey.id)
  })

  test('needs a key of 32 characters; the error does not show the key', () => {
    expect(readSigningKey({})).toBeUndefined()
    expect(readSigningKey({ MODEL_CACHE_REMOTE_KEY: ' \n' })).toBeUndefined()
    expect(readSigningKey({ MODEL_CACHE_REMOTE_KEY: `${'k'.repeat(32)}\n` })?.id).toBe(key.id)
    const short = 'secret'.repeat(5)
    const read = () => readSigningKey({ MODEL_CACHE_REMOTE_KEY: short })
    expect(read).toThrow(ModelCacheError)
    expect(read).toThrow(/has 30 characters.*openssl rand -hex 32/)
    expect(read).not.toThrow(short)
  })
})

describe('a bundle of small files', () => {
  test('gives the files that were packed', () => {
    fc.assert(
      fc.property(anySmallFiles, (files) => {
        const unpacked = unpackBundle(packBundle(files))
        expect([...unpacked.keys()].sort()).toEqual(files.map(({ digest }) => digest).sort())
        for (const { digest, bytes } of files)
          expect(Buffer.from(unpacked.get(digest) ?? 'none')).toEqual(Buffer.from(bytes))
      }),
      cases(500),
    )
  })

  test('that is damaged gives no file with other bytes', { timeout: FUZZ_TIMEOUT }, () => {
    fc.assert(
      fc.property(anySmallFiles, damage, fc.nat(), (files, how, at) => {
        const bytes = Buffer.from(packBundle(files))
        for (const each of damagedForms(bytes, how, at))
          for (const [digest, content] of accepted(() => unpackBundle(each)) ?? [])
            expect(digest).toBe(digest.startsWith('sha1:') ? `sha1:${gitSha1(content)}` : `sha256:${sha256(content)}`)
      }),
      cases(4000),
    )
  })

  test('holds files of up to 256 kB, 4 MiB together, and the smallest first', () => {
    const file = (size: number, digit: number) => ({
      size,
      digest: `sha1:${digit.toString(16).padStart(40, '0')}` as const,
    })
    const files = [
      file(300 << 10, 1),
      ...Array.from({ length: 20 }, (_, index) => file(250 << 10, index + 2)),
      file(1, 99),
    ]
    const chosen = chooseSmallFiles(files)
    expect(chosen).toEqual(chooseSmallFiles([...files].reverse()))
    expect(chosen[0]).toEqual(file(1, 99))
    expect(chosen.length).toBe(17)
  })
})

const anyMap: fc.Arbitrary<ChunkMap> = fc
  .tuple(
    fc.array(fc.tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 32 << 10, max: 256 << 10 })), {
      minLength: 1,
      maxLength: 20,
    }),
    fc.array(fc.tuple(hex(64), fc.nat(1 << 30)), { minLength: 1, maxLength: 4 }),
    fc.integer({ min: 1, max: 5 }),
  )
  .map(([records, sources, each]) => {
    const chunks = records.map(([id, size]) => ({ id: idFrom(Buffer.from(id)), size }))
    const size = chunks.reduce((sum, chunk) => sum + chunk.size, 0)
    const named = sources.map(([digits, more]) => ({ digest: `sha256:${digits}` as const, size: size + more }))
    const length = Math.ceil(size / each)
    const parts = Array.from({ length: each }, (_, index) => ({
      source: named[index % named.length] ?? { digest: 'sha1:' as const, size: 0 },
      start: index,
      size: Math.min(length, size - index * length),
    }))
    return { size, parts: parts.filter((part) => part.size > 0), chunks }
  })

describe('a chunk map', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyMap, (map) => {
        const bytes = printMap(map)
        expect(parseMap(bytes, map.size)).toEqual(map)
        expect(parseSources(bytes)).toEqual(sourcesOf(map))
        expect(bytes.byteLength).toBeLessThan(largestMap(map.size))
        expect(accepted(() => parseMap(bytes, map.size + 1))).toBeUndefined()
      }),
      cases(500),
    )
    expect(parseKey(mapKey(`sha256:${'a'.repeat(64)}`))).toEqual({ kind: 'map' })
  })

  test('that is damaged or hostile names no bytes outside of an object, and no other size', {
    timeout: FUZZ_TIMEOUT,
  }, () => {
    fc.assert(
      fc.property(anyMap, damage, fc.nat(), (map, how, at) => {
        const bytes = Buffer.from(printMap(map))
        for (const each of damagedForms(bytes, how, at)) {
          const read = accepted(() => parseMap(each, map.size))
          if (!read) continue
          expect(Buffer.from(printMap(read)).equals(each)).toBe(true)
          expect(
            read.parts.every(({ source, start, size }) => isDigest(source.digest) && start + size <= source.size),
          ).toBe(true)
          for (const items of [read.parts, read.chunks])
            expect(items.reduce((sum, { size }) => sum + size, 0)).toBe(map.size)
        }
      }),
      cases(2000),
    )
  })
})
