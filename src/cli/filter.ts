import { matchEntries } from '../cache/find.ts'
import { parseDuration, parseSize } from '../config/units.ts'
import { type Entry, entrySize } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'

/** Returns true for an entry that matches. */
export type Filter = (entry: Entry, now: number) => boolean

const COMPARISONS: Record<string, (a: number, b: number) => boolean> = {
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
}

interface Field {
  /** The values that are accepted on the right, as text. */
  accepts: string
  parse: (text: string) => number | undefined
  valueOf: (entry: Entry, now: number) => number
}

const size: Field = {
  accepts: 'a size such as 100MB',
  parse: parseSize,
  valueOf: entrySize,
}
const DURATION = 'a duration such as 7d or 12h'
const FIELDS = new Map<string, Field>([
  ['size', size],
  ['accessed', sinceField(({ lastAccessDate }) => lastAccessDate)],
  ['used', sinceField(({ lastAccessDate }) => lastAccessDate)],
  ['age', sinceField(({ cachedDate }) => cachedDate)],
  ['files', countField(({ files }) => files.size)],
  ['hits', countField(({ hits }) => hits)],
])

function sinceField(dateOf: (entry: Entry) => string): Field {
  return { accepts: DURATION, parse: parseDuration, valueOf: (entry, now) => now - Date.parse(dateOf(entry)) }
}

function countField(countOf: (entry: Entry) => number): Field {
  const parse = (text: string) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined)
  return { accepts: 'a whole number', parse, valueOf: countOf }
}

/** Fields that are compared by `=` and `!=` alone. */
const TEXT_FIELDS = new Map<string, (entry: Entry, value: string) => boolean>([
  ['model', (entry, value) => matchEntries(value, [entry]).length > 0],
  ['revision', ({ revision }, value) => revision === value],
  ['commit', ({ commit }, value) => commit.startsWith(value)],
  ['pinned', ({ pinned }, value) => pinned === /^(true|yes|1)$/i.test(value)],
])

/** Parses `size>100MB`, `accessed>7d`, `pinned=true` or `model=Xenova/*`. Throws `INVALID_OPTION`, which says what is accepted. */
export function parseFilter(text: string): Filter {
  const match = /^\s*([a-z]+)\s*(>=|<=|!=|>|<|=)\s*(.*?)\s*$/is.exec(text)
  if (!match) throw invalid(text, 'It is not a comparison.')
  const [, name = '', operator = '', value = ''] = match
  const number = FIELDS.get(name.toLowerCase())
  if (number) return numberFilter(text, number, operator, value)
  const isEqual = TEXT_FIELDS.get(name.toLowerCase())
  if (!isEqual) throw invalid(text, `There is no column \`${name}\`.`)
  if (operator !== '=' && operator !== '!=') throw invalid(text, `\`${name}\` can only be compared by = and !=.`)
  if (value === '') throw invalid(text, 'The value on the right is missing.')
  if (name.toLowerCase() === 'pinned' && !/^(true|false|yes|no|1|0)$/i.test(value))
    throw invalid(text, '`pinned` can only be true or false.')
  return (entry) => isEqual(entry, value) === (operator === '=')
}

function numberFilter(text: string, field: Field, operator: string, value: string): Filter {
  const limit = field.parse(value)
  const compare = COMPARISONS[operator]
  if (limit === undefined || !compare) throw invalid(text, `The value on the right must be ${field.accepts}.`)
  return (entry, now) => compare(field.valueOf(entry, now), limit)
}

function invalid(text: string, reason: string): ModelCacheError {
  const names = [...FIELDS.keys(), ...TEXT_FIELDS.keys()].join(', ')
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Filter ${JSON.stringify(text)}`,
    reason,
    nextStep: `Write it as 'size>100MB', 'accessed>7d' or 'pinned=true'; the columns are ${names}.`,
  })
}
