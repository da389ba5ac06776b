import { ModelCacheError, messageOf, nameOf } from '../../src/model/errors.ts'
import fc from './property.ts'

// `npm test` runs a quarter of the cases that a test states; `FUZZ_RUNS=10 npx vitest run test/fault/fuzz` runs ten times as many.
const FACTOR = Number(process.env.FUZZ_RUNS ?? 0.25)

/** Options of fast-check for `count` cases. A case that hangs is a failure, and is shown like any other. */
export function cases(count: number): { numRuns: number; timeout: number } {
  return { numRuns: Math.ceil(count * FACTOR), timeout: 30_000 }
}

/** The time limit of a fuzz test, in milliseconds. */
export const FUZZ_TIMEOUT = 120_000 * Math.max(1, FACTOR)

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'toJSON', 'valueOf', 'length', 'then', 'polluted']
const PATHS = ['', '.', '..', '/', '//', './a', 'a/', 'a//b', 'a/./b', 'a/../../b', '/etc/passwd', '~/x', 'a\\..\\b']
const WINDOWS = ['..\\..\\x', 'C:\\x', 'c:x', 'C:/x', '\\\\host\\share', '\\\\?\\C:\\x', 'con', 'a/nul.txt', 'a.', 'a ']
const ODD = ['a\0b', 'a\nb', 'a%2f..%2fb', '%00', 'ünï', '\ud800', '\u202e', 'a:b', '*', '[', '{a,b', '!', '!a', '.git']
const VALUES = [
  'main',
  'refs/pr/1',
  'x.lock',
  COMMIT,
  COMMIT.toUpperCase(),
  `sha1:${COMMIT}`,
  'sha256:',
  'NaN',
  '-1',
  '1e999',
]

/** Texts that an attacker might try, and random texts. `beside/canary.txt` is a file beside the cache folder. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...NAMES, ...PATHS, ...WINDOWS, ...ODD, ...VALUES),
  fc.nat(9).map((count) => `${'../'.repeat(count)}beside/canary.txt`),
  fc.constantFrom(256, 1025, 5000).map((length) => 'x'.repeat(length)),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.array(fc.constantFrom('..', '.', '', 'a', 'C:', '~', ' '), { maxLength: 6 }).map((parts) => parts.join('/')),
)

/** Numbers that may break a sum, a date or an index. */
export const hostileNumber: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    -1,
    0.5,
    -0.5,
    1e308,
    -1e308,
    2 ** 53,
    2 ** 53 - 1,
    2 ** 31,
    2 ** 32,
    Number.MIN_VALUE,
    8.64e15,
  ),
  fc.nat(100),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)

/** Values that break code which relies on `String(x)` or on a prototype, and values of each type. */
const TRAPS: fc.Arbitrary<unknown> = fc
  .constantFrom(
    ...['{"toString":1,"valueOf":1,"toJSON":1}', '[{"toString":1,"valueOf":1}]', '{"length":1000000000}'],
    ...['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}'],
    ...['null', 'true', '[]', '{}', '[null]', `["${COMMIT}"]`, `${'['.repeat(300)}${']'.repeat(300)}`],
  )
  .map((text): unknown => JSON.parse(text))

/** JSON values of every kind. */
export const hostileJson: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  hostileNumber,
  { weight: 3, arbitrary: TRAPS },
  fc.jsonValue({ maxDepth: 3 }),
)

/** One change to a JSON value. `at` is the index of the place to change, modulo the number of places. */
interface Change {
  at: number
  how: 'set' | 'twist' | 'drop' | 'rename' | 'wrap' | 'add'
  value: unknown
  number: number
  name: string
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(200),
  how: fc.constantFrom('set', 'set', 'twist', 'twist', 'drop', 'rename', 'wrap', 'add'),
  value: hostileJson,
  number: hostileNumber,
  name: fc.oneof(fc.constantFrom(...NAMES), hostileText),
})

/** A change of a valid JSON value: some changes in it, or another value instead. */
export type Mutation = { changes: Change[] } | { instead: unknown }

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ instead: hostileJson }) },
)

export function mutate(valid: unknown, mutation: Mutation): unknown {
  if ('instead' in mutation) return mutation.instead
  const root = { value: structuredClone(valid) }
  for (const step of mutation.changes) applyChange(placesIn(root), step)
  // The root itself may have been dropped.
  return root.value ?? null
}

function applyChange(places: [holder: object, key: string][], { at, how, number, name, ...rest }: Change): void {
  const [holder, key] = places[at % places.length] ?? [{}, '']
  const value: unknown = structuredClone(rest.value)
  const old: unknown = Reflect.get(holder, key)
  if (how === 'set') define(holder, key, value)
  else if (how === 'twist') define(holder, key, twisted(old, number, name))
  else if (how === 'wrap') define(holder, key, [old])
  else if (how === 'add') define(typeof old === 'object' && old !== null ? old : holder, name, value)
  else {
    Reflect.deleteProperty(holder, key)
    if (how === 'rename') define(holder, name, old)
  }
}

/** Another value of the same type, for numbers, strings and booleans. */
function twisted(old: unknown, number: number, name: string): unknown {
  if (typeof old === 'number') return number
  if (typeof old === 'string') return name
  return typeof old === 'boolean' ? !old : [old]
}

/** Defines a property as JSON.parse does: `__proto__` becomes an ordinary field. */
function define(holder: object, key: string, value: unknown): void {
  if (Array.isArray(holder) && key === 'length') return
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

function placesIn(holder: object): [object, string][] {
  return Object.entries(holder).flatMap(([key, value]): [object, string][] => [
    [holder, key],
    ...(typeof value === 'object' && value !== null ? placesIn(value) : []),
  ])
}

/** A change of a file that was valid JSON: another value, or content that is not JSON. */
export type Damage =
  | { json: Mutation }
  | { cutAt: number }
  | { flipAt: number; bits: number }
  | { bytes: Uint8Array }
  | { text: string }

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ json: mutation }) },
  { weight: 1, arbitrary: fc.record({ cutAt: fc.nat(5000) }) },
  { weight: 1, arbitrary: fc.record({ flipAt: fc.nat(5000), bits: fc.integer({ min: 1, max: 255 }) }) },
  { weight: 1, arbitrary: fc.record({ bytes: fc.uint8Array({ maxLength: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ text: hostileText }) },
)

/** The content of a file after the damage. Content that is not JSON is treated as a JSON string. */
export function spoil(valid: string, damage: Damage): Uint8Array {
  if ('json' in damage) return Buffer.from(JSON.stringify(mutate(parsed(valid), damage.json)) ?? '')
  if ('bytes' in damage) return damage.bytes
  if ('text' in damage) return Buffer.from(damage.text)
  const bytes = Buffer.from(valid)
  if ('cutAt' in damage) return bytes.subarray(0, damage.cutAt % bytes.length)
  const at = damage.flipAt % bytes.length
  bytes[at] = (bytes[at] ?? 0) ^ damage.bits
  return bytes
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The result of `work`, or undefined if it throws a ModelCacheError with a code. Any other error fails the test. */
export async function tolerated<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    return refused(error)
  }
}

/** As `tolerated`, for synchronous work. */
export function toleratedNow<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): undefined {
  if (error instanceof ModelCacheError && error.code) return
  throw new Error(`The work threw ${nameOf(error)}: ${messageOf(error)}`, { cause: error })
}
