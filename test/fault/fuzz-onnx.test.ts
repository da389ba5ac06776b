import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isWellFormed } from '../../src/cache/store/skeletons/check-skeleton.ts'
import { makeSkeleton, type Skeleton } from '../../src/cache/store/skeletons/make-skeleton.ts'
import { NotMappable, varintOf } from '../../src/cache/store/skeletons/protobuf.ts'
import { madeOf, TRAILER_LENGTH } from '../../src/cache/store/skeletons/trailer.ts'
import { cases, FUZZ_TIMEOUT } from '../support/fuzz.ts'
import {
  bytesOf,
  lengthField,
  lengthOf,
  type Piece,
  tag,
  textField,
  VirtualFile,
  varintField,
} from '../support/onnx-source.ts'
import fc from '../support/property.ts'

const DIGEST = `sha256:${'a'.repeat(64)}` as const
const NAME = 'a'.repeat(64)
const MB = 1 << 20
const GB = 2 ** 30

/** The skeleton of a file, or the reason why it has none. Any other error fails the test. */
function skeletonOf(file: VirtualFile): Skeleton | string {
  try {
    return makeSkeleton(file.read, { digest: DIGEST, size: file.size })
  } catch (error) {
    if (error instanceof NotMappable) return error.message
    throw error
  }
}

// A reader of protobuf that is independent of the one under test. It reads the whole file but for the values of large fields.

type Value = string | { at: number; length: number } | Field[]
interface Field {
  number: number
  wireType: number
  value: Value
}

const GRAPH = 7
const INITIALIZER = 5
const [RAW, EXTERNAL, LOCATION] = [9, 13, 14]

/** The fields of a message. `path` are the numbers of the fields in which it is; tensors of the graph are read in full. */
function decode(file: VirtualFile, start: number, end: number, path: number[] = []): Field[] {
  const fields: Field[] = []
  let at = start
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(file.bytes(at++, 1)[0] ?? 0)
      value |= (byte & 0x7fn) << shift
      if (byte < 0x80n) return value
    }
  }
  while (at < end) {
    const key = Number(varint())
    const [number, wireType] = [Math.floor(key / 8), key % 8]
    if (wireType === 0) fields.push({ number, wireType, value: String(varint()) })
    else {
      const length = wireType === 2 ? Number(varint()) : wireType === 1 ? 8 : 4
      const inner = [...path, number]
      const isMessage = wireType === 2 && ['7', '7.5', '7.5.13'].includes(inner.join('.'))
      const isData = wireType === 2 && inner.join('.') === '7.5.9'
      const value = isMessage
        ? decode(file, at, at + length, inner)
        : isData
          ? { at, length }
          : textAt(file, at, length)
      fields.push({ number, wireType, value })
      at += length
    }
  }
  return fields
}

function textAt(file: VirtualFile, at: number, length: number): string {
  return Buffer.from(file.bytes(at, length)).toString('latin1')
}

function withContent(file: VirtualFile, field: Field): Field {
  const { value } = field
  return typeof value === 'object' && !Array.isArray(value)
    ? { ...field, value: textAt(file, value.at, value.length) }
    : field
}

/** The fields of a skeleton, with each tensor that was moved in its old place. */
function restored(skeleton: Skeleton): Field[] {
  const file = new VirtualFile([skeleton.bytes.subarray(0, skeleton.bytes.length - TRAILER_LENGTH)])
  const tensorOf = (fields: Field[]): Field[] => {
    const entries = fields.filter(({ number }) => number === EXTERNAL).map(({ value }) => value)
    if (entries.length === 0) return fields.map((field) => withContent(file, field))
    const [location, offset, length] = entries.map((entry) => (Array.isArray(entry) ? entry[1]?.value : undefined))
    expect(location).toBe(NAME)
    const data = { number: RAW, wireType: 2, value: { at: Number(offset), length: Number(length) } }
    const first = fields.findIndex(({ number }) => number === EXTERNAL)
    const rest = fields.filter(({ number }) => number !== EXTERNAL && number !== LOCATION)
    return [...rest.slice(0, first), data, ...rest.slice(first)]
  }
  const graphOf = (fields: Field[]) =>
    fields.map((field) =>
      field.number === INITIALIZER && Array.isArray(field.value) ? { ...field, value: tensorOf(field.value) } : field,
    )
  return decode(file, 0, file.size).map((field) =>
    field.number === GRAPH && Array.isArray(field.value) ? { ...field, value: graphOf(field.value) } : field,
  )
}

/** The fields of the file, with the content of each tensor that stayed in the skeleton, as `skeleton` has it. */
function asIn(skeleton: Field[], fields: Field[], file: VirtualFile): Field[] {
  return fields.map((field, index) => {
    const { value } = field
    const other = skeleton[index]?.value
    if (Array.isArray(value)) return { ...field, value: asIn(Array.isArray(other) ? other : [], value, file) }
    const isContent = typeof value === 'object' && typeof other === 'string'
    return isContent ? { ...field, value: textAt(file, value.at, value.length) } : field
  })
}

/** The skeleton must be well-formed, and must be the same model as the file. */
function expectRight(file: VirtualFile, skeleton: Skeleton): void {
  expect(isWellFormed(skeleton, NAME, file.size)).toBe(true)
  expect(madeOf(skeleton.bytes)).toEqual({ digest: DIGEST, size: file.size })
  const model = restored(skeleton)
  expect(asIn(model, decode(file, 0, file.size), file)).toEqual(model)
}

const hole = (length: number, fill: number): Piece => ({ length, fill })

/** The fields that a tensor of `count` floats has in any exporter. */
const tensorHead = (count: number): Piece[][] => [varintField(1, count), varintField(2, 1), textField(8, 'weights')]

const noise = fc.uint8Array({ maxLength: 40 })
const fieldNumber = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(2 ** 29 - 1, 2 ** 29, 2 ** 35))

/** A field of any kind, right or not. */
const anyField: fc.Arbitrary<Piece[]> = fc.oneof(
  fc.tuple(fieldNumber, fc.nat(2 ** 40)).map(([number, value]) => varintField(number, value)),
  fc.tuple(fieldNumber, noise).map(([number, bytes]) => lengthField(number, [bytes])),
  fc
    .tuple(fieldNumber, fc.constantFrom(1, 3, 4, 5, 6, 7), noise)
    .map(([number, wire, bytes]) => [tag(number, wire), bytes]),
  // A length that does not fit.
  fc
    .tuple(fieldNumber, fc.constantFrom(0, 1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63), noise)
    .map(([number, length, bytes]) => lengthField(number, [bytes], length)),
)

/** A field that changes what a tensor is. */
const tensorField: fc.Arbitrary<Piece[]> = fc.oneof(
  fc.constantFrom(
    varintField(1, 1),
    varintField(1, 2 ** 40),
    varintField(2, 7),
    varintField(2, 16),
    lengthField(1, [Uint8Array.of(1, 1, 1)]),
    lengthField(3, [varintField(1, 0), varintField(2, 4)].flat()),
    lengthField(4, [new Uint8Array(8)]),
    textField(6, 'text'),
    textField(8, 'another name'),
    lengthField(9, [new Uint8Array(8)]),
    lengthField(13, [...textField(1, 'location'), ...textField(2, 'weights.bin')]),
    textField(12, 'a description'),
    varintField(14, 0),
    varintField(14, 1),
    lengthField(16, [...textField(1, 'key'), ...textField(2, 'value')]),
  ),
  anyField,
)

const tensor: fc.Arbitrary<Piece[]> = fc
  .record({
    count: fc.oneof(fc.constantFrom(0, 1, 255, 256, 257, MB, GB / 2, GB), fc.nat(2 * MB)),
    more: fc.integer({ min: -1, max: 1 }),
    extra: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(tensorField, { maxLength: 2 })),
    fill: fc.constantFrom(0, 0x0a, 0x2a, 0xff),
    isShuffled: fc.boolean(),
    isExact: fc.boolean(),
  })
  .map(({ count, more, extra, fill, isShuffled, isExact }) => {
    const data = lengthField(9, [hole(Math.max(0, count * 4 + (isExact ? 0 : more)), fill)])
    const fields = [...tensorHead(count), data, ...extra]
    return (isShuffled ? fields.reverse() : fields).flat()
  })

const graphField: fc.Arbitrary<Piece[]> = fc.oneof(
  { weight: 5, arbitrary: tensor.map((pieces) => lengthField(5, pieces)) },
  { weight: 2, arbitrary: noise.map((bytes) => lengthField(1, [bytes])) },
  { weight: 1, arbitrary: fc.constantFrom(textField(2, 'graph'), lengthField(15, [new Uint8Array(8)])) },
  // The name of a node's external data, and a name that only contains that word.
  { weight: 1, arbitrary: fc.constantFrom(textField(10, 'allocation'), lengthField(1, textField(1, 'location'))) },
  { weight: 1, arbitrary: anyField },
)

const model: fc.Arbitrary<Piece[]> = fc
  .record({
    head: fc.array(fc.oneof(fc.constant(varintField(1, 8)), fc.constant(textField(2, 'maker'))), { maxLength: 2 }),
    graph: fc.array(graphField, { maxLength: 8 }),
    rest: fc.array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.constantFrom(lengthField(8, varintField(2, 13)), lengthField(25, textField(1, 'f'))),
        },
        { weight: 1, arbitrary: fc.constant(lengthField(7, lengthField(5, tensorHead(4).flat()))) },
        { weight: 1, arbitrary: anyField },
      ),
      { maxLength: 3 },
    ),
  })
  .map(({ head, graph, rest }) => [...head.flat(), ...lengthField(7, graph.flat()), ...rest.flat()])

/** A change of one byte that takes memory, or a cut. */
const spoiling = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.record({ at: fc.nat(), bits: fc.integer({ min: 1, max: 255 }) }) },
  { weight: 1, arbitrary: fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }) }) },
)

function spoiled(pieces: Piece[], how: { at: number; bits: number } | { keep: number } | undefined): VirtualFile {
  if (how === undefined) return new VirtualFile(pieces)
  if ('keep' in how) return new VirtualFile(pieces, Math.floor(lengthOf(pieces) * how.keep))
  const index = how.at % pieces.length
  const changed = pieces.map((piece, at) => {
    if (at !== index || !ArrayBuffer.isView(piece) || piece.length === 0) return piece
    return piece.map((byte, place) => (place === how.at % piece.length ? byte ^ how.bits : byte))
  })
  return new VirtualFile(changed)
}

const LARGEST_SKELETON = 32 * MB

describe('a hostile ONNX file', () => {
  test(
    'gives a right skeleton or none, and is read no further than needed',
    () => {
      let made = 0
      fc.assert(
        fc.property(model, spoiling, (pieces, how) => {
          const file = spoiled(pieces, how)
          const skeleton = skeletonOf(file)
          expect(file.bytesRead).toBeLessThan(2 * file.heldBytes + 2 * LARGEST_SKELETON)
          expect(file.largestRead).toBeLessThanOrEqual(LARGEST_SKELETON)
          if (typeof skeleton === 'string') return
          made++
          expectRight(file, skeleton)
          // Of each tensor only the head is read.
          if (how === undefined)
            expect(file.bytesRead).toBeLessThan(4 * file.heldBytes + 20 * 3 * 4096 + skeleton.bytes.length)
        }),
        cases(1200),
      )
      expect(made).toBeGreaterThan(20)
    },
    FUZZ_TIMEOUT,
  )

  const LARGE = GB / 2
  const weights = (...fields: Piece[][]) => lengthField(5, fields.flat())
  const data = (length: number) => lengthField(9, [hole(length, 0)])
  const good = weights(...tensorHead(MB), data(4 * MB))
  const graph = (...fields: Piece[][]) => lengthField(7, fields.flat())

  test.each<[string, Piece[], string | number]>([
    ['is right', graph(good), 4 * MB],
    ['has 2 GB and more', graph(good, weights(...tensorHead(LARGE), data(4 * LARGE)), good), 8 * MB + 4 * LARGE],
    [
      'has packed dimensions',
      graph(weights(lengthField(1, [varintOf(1024), varintOf(1024)]), varintField(2, 1), data(4 * MB))),
      4 * MB,
    ],
    ['has two tensors of one name', graph(good, good), 8 * MB],
    ['has a tensor with data twice', graph(good, weights(...tensorHead(MB), data(4 * MB), data(4 * MB))), 4 * MB],
    [
      'has a tensor with data in two fields',
      graph(good, weights(...tensorHead(MB), data(4 * MB), lengthField(4, [new Uint8Array(4)]))),
      4 * MB,
    ],
    [
      'has a tensor in segments',
      graph(good, weights(...tensorHead(MB), lengthField(3, varintField(1, 0)), data(4 * MB))),
      4 * MB,
    ],
    [
      'has texts',
      graph(good, weights(varintField(1, 2), varintField(2, 8), textField(6, 'a'), textField(6, 'b'))),
      4 * MB,
    ],
    [
      'has integers, which shapes are made of',
      graph(good, weights(varintField(1, MB), varintField(2, 7), data(8 * MB))),
      4 * MB,
    ],
    ['has data that does not fit the shape', graph(good, weights(...tensorHead(MB), data(4 * MB - 1))), 4 * MB],
    [
      'has a negative dimension',
      graph(good, weights([tag(1, 0), Uint8Array.of(...Array(9).fill(255), 1)], varintField(2, 1), data(4 * MB))),
      4 * MB,
    ],
    ['has a sparse tensor', graph(good, lengthField(15, weights(...tensorHead(4), data(16)))), 4 * MB],
    [
      'has weights in a file',
      graph(good, weights(...tensorHead(MB), varintField(14, 1))),
      'its weights are in a file of their own',
    ],
    [
      'names a file in a node',
      graph(good, lengthField(1, lengthField(5, textField(1, 'location')))),
      'some of its weights are in a file of their own',
    ],
    ['has two graphs', [...graph(good), ...graph(good)], 'it has more than one graph'],
    ['has a group', graph(good, [tag(9, 3), tag(9, 4)]), 'it has a field of the unknown wire type 3'],
    [
      'has weights of 100 kB',
      graph(weights(...tensorHead(25_600), data(102_400))),
      'it has too few weights that can be mapped',
    ],
    ['is empty', [], 'it has too few weights that can be mapped'],
    ['is cut off', graph(good).slice(0, -1), 'it is cut off'],
    [
      'is a web page',
      [Buffer.from('<!doctype html><html lang="en"><title>429</title></html>')],
      'it has a field of the unknown wire type 4',
    ],
    [
      'has a 1 GB part that is no weights',
      graph(good, lengthField(10, [hole(GB, 0)])),
      'it is large without its weights, too',
    ],
    ['has 10,000 large tensors', graph(...Array(10_000).fill(good)), 'it has too many tensors'],
    ['has a million empty fields', graph(good, [hole(12 * 1_100_000, 0x0a)]), 'it has too many fields'],
    [
      'has a number of more than ten bytes',
      graph(good, [tag(9, 0), Uint8Array.of(...Array(11).fill(255), 1)]),
      'it has a number of more than ten bytes',
    ],
  ])('that %s', (_, pieces, expected) => {
    const file = new VirtualFile(pieces)
    const skeleton = skeletonOf(file)
    expect(typeof skeleton === 'string' ? skeleton : skeleton.movedBytes).toBe(expected)
    if (typeof skeleton !== 'string') expectRight(file, skeleton)
  })
})

/** The ways in which exporters, or hands, write a tensor of `data` with the name `w<index>`. */
const WRITTEN: ((name: Piece[], data: Buffer) => Piece[][])[] = [
  (name, data) => [varintField(1, FLOATS), varintField(2, 1), name, lengthField(9, [data])],
  (name, data) => [lengthField(9, [data]), name, varintField(2, 1), lengthField(1, [varintOf(FLOATS)])],
  (name, data) => [varintField(2, 7), varintField(1, FLOATS), name, varintField(2, 1), lengthField(9, [data])],
  (name, data) => [
    varintField(1, FLOATS),
    varintField(2, 1),
    name,
    textField(12, 'a location'),
    lengthField(9, [data]),
  ],
  (name, data) => [varintField(1, FLOATS), varintField(2, 1), lengthField(9, [data]), name, varintField(14, 0)],
  (name, data) => [varintField(1, FLOATS), varintField(2, 1), name, lengthField(9, [data]), textField(99, 'unknown')],
  (name, data) => [name, varintField(1, FLOATS), varintField(2, 1), lengthField(9, [data]), lengthField(4, [])],
  // The last data counts.
  (name, data) => [
    name,
    varintField(1, FLOATS),
    varintField(2, 1),
    ...[Buffer.alloc(data.length), data].map((d) => lengthField(9, [d])),
  ],
  (name, data) => [name, varintField(1, FLOATS), varintField(2, 1), lengthField(4, [data])],
]
const FLOATS = 16_384

/** y = x + w0 + w1 + ... */
function sumOf(tensors: Piece[][][]): Buffer {
  const node = (index: number) => [
    ...textField(1, index === 0 ? 'x' : `v${index - 1}`),
    ...textField(1, `w${index}`),
    ...textField(2, index === tensors.length - 1 ? 'y' : `v${index}`),
    ...textField(4, 'Add'),
  ]
  const shape = lengthField(2, lengthField(1, varintField(1, FLOATS)))
  const value = (name: string) => [
    ...textField(1, name),
    ...lengthField(2, lengthField(1, [...varintField(1, 1), ...shape])),
  ]
  const graph = [
    ...tensors.flatMap((_, index) => lengthField(1, node(index))),
    ...textField(2, 'sum'),
    ...tensors.flatMap((tensor) => lengthField(5, tensor.flat())),
    ...lengthField(11, value('x')),
    ...lengthField(12, value('y')),
  ]
  return bytesOf([...varintField(1, 8), ...lengthField(7, graph), ...lengthField(8, varintField(2, 17))])
}

test(
  'a model that ONNX Runtime loads has the same output when it is mapped, however its tensors are written',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'onnx '))
    onTestFinished(() => rm(folder, { recursive: true }))
    const ways = fc.array(fc.nat(WRITTEN.length - 1), { minLength: 1, maxLength: 8 })
    const x = new Tensor('float32', new Float32Array(FLOATS).fill(0.5), [FLOATS])
    const outputOf = async (path: string) => {
      const session = await InferenceSession.create(path)
      const { y } = await session.run({ x })
      await session.release()
      return Buffer.from(new Float32Array((y?.data ?? []) as Float32Array).buffer)
    }
    await fc.assert(
      fc.asyncProperty(ways, async (unusual) => {
        // With fewer that are mapped there would be no skeleton.
        const chosen = [...Array<number>(16).fill(0), ...unusual]
        const tensors = chosen.map((way, index) => {
          const data = Buffer.from(
            Float32Array.from({ length: FLOATS }, (_, at) => ((at * 31 + index * 17) % 97) / 97).buffer,
          )
          return WRITTEN[way]?.(textField(8, `w${index}`), data) ?? []
        })
        const model = sumOf(tensors)
        const skeleton = makeSkeleton(new VirtualFile([model]).read, { digest: DIGEST, size: model.length })
        expect(skeleton.tensors).toBe(chosen.filter((way) => way < 4).length)
        await writeFile(join(folder, NAME), model)
        await writeFile(join(folder, 'skeleton.onnx'), skeleton.bytes)
        const [plain, mapped] = [await outputOf(join(folder, NAME)), await outputOf(join(folder, 'skeleton.onnx'))]
        expect(plain.length).toBe(FLOATS * 4)
        expect(mapped.equals(plain)).toBe(true)
      }),
      cases(40),
    )
  },
  FUZZ_TIMEOUT,
)
