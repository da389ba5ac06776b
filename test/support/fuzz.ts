import { ModelCacheError, messageOf, nameOf } from '../../src/model/errors.ts'
import fc from './property.ts'

// `npm test` takes a quarter of the cases that a test names; `FUZZ_RUNS=10 npx vitest run test/fault/fuzz` takes ten times as many.
const FACTOR = Number(process.env.FUZZ_RUNS ?? 0.25)

/** So many cases in an ordinary run. One that hangs is a failure, and shown like any other. */
export function cases(count: number): { numRuns: number; timeout: number } {
  return { numRuns: Math.ceil(count * FACTOR), timeout: 30_000 }
}

/** The time that a test of so many cases may take. */
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

/** Texts that an attacker would try, and any others. `beside/canary.txt` lies beside the cache folder. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...NAMES, ...PATHS, ...WINDOWS, ...ODD, ...VALUES),
  fc.nat(9).map((count) => `${'../'.repeat(count)}beside/canary.txt`),
  fc.constantFrom(256, 1025, 5000).map((length) => 'x'.repeat(length)),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.array(fc.constantFrom('..', '.', '', 'a', 'C:', '~', ' '), { maxLength: 6 }).map((parts) => parts.join('/')),
)

/** Numbers that a sum, a date or an index does not stand. */
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

/** What breaks who trusts in `String(x)` or in a prototype, and values of each type. */
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

/** One change to a JSON value, at one of its places: which one, is counted through all of them. */
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

/** What becomes of a JSON value that was valid. */
export type Mutation = { changes: Change[] } | { instead: unknown }

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ instead: hostileJson }) },
)

export function mutate(valid: unknown, mutation: Mutation): unknown {
  if ('instead' in mutation) return mutation.instead
  const root = { value: structuredClone(valid) }
  for (const step of mutation.changes) applyChange(placesIn(root), step)
  // Dropped as a whole.
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

/** Another value of the same type, where it has one to itself. */
function twisted(old: unknown, number: number, name: string): unknown {
  if (typeof old === 'number') return number
  if (typeof old === 'string') return name
  return typeof old === 'boolean' ? !old : [old]
}

/** As JSON.parse does: a field named `__proto__` is a field. */
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

/** What becomes of a file that was valid JSON: another value, or no JSON at all. */
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

/** The file's content after it; a file that is no JSON is taken as a text. */
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

/** What it gives, or undefined when it refuses as it should: with our error, and a code. Anything else fails. */
export async function tolerated<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    return refused(error)
  }
}

/** As `tolerated`, for what answers at once. */
export function toleratedNow<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): undefined {
  if (error instanceof ModelCacheError && error.code) return
  throw new Error(`It threw ${nameOf(error)}: ${messageOf(error)}`, { cause: error })
}
