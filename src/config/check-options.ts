import * as v from 'valibot'
import { ModelCacheError, showValue } from '../model/errors.ts'
import { nearest } from '../model/nearest.ts'
import { REMOTE_NAMES, remoteSchema } from './remote-options.ts'
import { isUserRemote } from './remote-settings.ts'
import { parseDuration, parseSize } from './units.ts'

const SIZE = 'a size such as "2GB" or "500MB", or a number of bytes; at least 1 byte'
const DURATION = 'a duration such as "7d", "12h" or "30m", or a number of milliseconds'

const text = v.pipe(v.string('a string'), v.nonEmpty('a string that is not empty'))
const size = v.pipe(
  v.union([v.string(), v.number()], SIZE),
  v.check((input) => (parseSize(input) ?? 0) > 0, SIZE),
)
const duration = v.pipe(
  v.union([v.string(), v.number()], DURATION),
  v.check((input) => parseDuration(input) !== undefined, DURATION),
)
const TIMEOUT = 'a duration greater than 0 such as "1h" or "10m", or a number of milliseconds'
const timeout = v.pipe(
  v.union([v.string(), v.number()], TIMEOUT),
  v.check((input) => (parseDuration(input) ?? 0) > 0, TIMEOUT),
)
const ENDPOINT = 'an http or https URL without user name, query or fragment'
const endpoint = v.pipe(v.string(ENDPOINT), v.check(isEndpoint, ENDPOINT))
const concurrency = v.pipe(
  v.number('a whole number from 1 to 64'),
  v.check((input) => Number.isInteger(input) && input >= 1 && input <= 64, 'a whole number from 1 to 64'),
)
const HOST = 'a list of origins such as "https://mirror.example"'
const host = v.pipe(v.string(HOST), v.check(isEndpoint, HOST))
const target = v.pipe(
  v.number('a number from 0 to 1'),
  v.check((input) => input >= 0 && input <= 1, 'a number from 0 to 1'),
)
const HUB = {
  endpoint: v.optional(endpoint),
  token: v.optional(text),
  concurrency: v.optional(concurrency),
  timeout: v.optional(timeout),
}
const INTERCEPT = { hosts: v.optional(v.array(host)) }
const REPORT = { outputFile: v.optional(text), target: v.optional(target), summary: v.optional(v.boolean()) }
const Schema = v.object(
  {
    models: v.optional(v.array(v.unknown(), 'a list of models')),
    warm: v.optional(v.picklist(['predicted', 'declared', 'all', 'none'], '"predicted", "declared", "all" or "none"')),
    cacheDir: v.optional(text),
    maxSize: v.optional(size),
    onTooLarge: v.optional(v.picklist(['keep', 'error'], '"keep" or "error"')),
    maxAge: v.optional(duration),
    packAfter: v.optional(v.union([v.literal(false), duration], 'false, or a duration such as "2d"')),
    compression: v.optional(v.picklist(['auto', 'none'], '"auto" or "none"')),
    maintenance: v.optional(
      v.picklist(['background', 'brief', 'run', 'none'], '"background", "brief", "run" or "none"'),
    ),
    preset: v.optional(v.picklist(['dev', 'ci'], '"dev" or "ci"')),
    mode: v.optional(v.picklist(['integration', 'unit'], '"integration" or "unit"')),
    offline: v.optional(v.boolean('true or false')),
    validate: v.optional(v.picklist(['stat', 'digest', 'none'], '"stat", "digest" or "none"')),
    load: v.optional(v.picklist(['mapped', 'plain'], '"mapped" or "plain"')),
    threads: v.optional(v.picklist(['shared', 'as-is'], '"shared" or "as-is"')),
    adopt: v.optional(v.boolean('true or false')),
    lockfile: v.optional(v.union([v.literal(false), text], 'false, or a path such as "models.lock.json"')),
    frozen: v.optional(v.boolean('true or false')),
    remote: v.optional(remoteSchema),
    hub: v.optional(v.object(HUB, `an object with ${Object.keys(HUB).map(quoted).join(', ')}`)),
    intercept: v.optional(
      v.union(
        [v.boolean(), v.object(INTERCEPT)],
        'true, false, or an object with `hosts` (a list of origins such as "https://mirror.example")',
      ),
    ),
    providers: v.optional(v.array(text, 'a list of module paths')),
    report: v.optional(
      v.union(
        [v.literal(false), v.object(REPORT)],
        'false, or an object with `outputFile` (a path), `target` (a number from 0 to 1) and `summary` (true or false)',
      ),
    ),
  },
  'an object of options',
)

/** The names of the options on each level; '' is the top level. */
const LEVELS = new Map<string, string[]>([
  ['', Object.keys(Schema.entries)],
  ['hub', Object.keys(HUB)],
  ['intercept', Object.keys(INTERCEPT)],
  ['report', Object.keys(REPORT)],
  ['remote', REMOTE_NAMES],
])

export type CheckedOptions = v.InferOutput<typeof Schema>

/**
 * Checks all options. `checked` is undefined if an option has a wrong value; unknown options are only in `problems`. `name` returns
 * the option's name in an error.
 */
export function checkOptions(
  input: unknown,
  name: (option: string) => string,
): { checked?: CheckedOptions; problems: ModelCacheError[] } {
  // valibot accepts an array as an object without keys.
  const result = v.safeParse(Schema, Array.isArray(input) ? undefined : input)
  const problems = [
    ...unknownNames(input).map(([level, key]) => unknownOption(level, key, name(dotted(level, key)))),
    ...(result.issues ?? []).map((issue) => {
      const option = v.getDotPath(issue) ?? ''
      return new ModelCacheError({
        code: 'INVALID_OPTION',
        asked: name(option),
        reason: `It was set to ${show(issue.input, option)}.`,
        nextStep: `Accepted: ${issue.message}.`,
      })
    }),
  ]
  return { ...(result.success && { checked: result.output }), problems }
}

/** The errors that checks throw. */
export function problemsIn(checks: (() => unknown)[]): ModelCacheError[] {
  return checks.flatMap((check) => {
    try {
      check()
      return []
    } catch (error) {
      if (error instanceof ModelCacheError) return [error]
      throw error
    }
  })
}

/** One error that names all problems. */
export function oneError(problems: ModelCacheError[]): ModelCacheError {
  const [first, ...others] = problems
  if (first && others.length === 0) return first
  const lines = problems.map(({ asked, reason, nextStep }) => `\n  - ${asked}: ${reason} ${nextStep}`)
  return new ModelCacheError({
    code: problems.every(({ code }) => code === 'INVALID_MODEL') ? 'INVALID_MODEL' : 'INVALID_OPTION',
    asked: 'Settings of vitest-model-cache',
    reason: `${problems.length} of them are wrong.`,
    nextStep: `Correct these:${lines.join('')}`,
  })
}

/** The given options that do not exist, each as its level and its name on that level. */
function unknownNames(input: unknown): [string, string][] {
  return [...LEVELS].flatMap(([level, names]) => {
    const given: unknown = level === '' ? input : Reflect.get(Object(input), level)
    const isChecked = typeof given === 'object' && given !== null && !(level === '' && Array.isArray(given))
    if (!isChecked || isUserRemote(given)) return []
    return Object.keys(given).flatMap((key): [string, string][] => (names.includes(key) ? [] : [[level, key]]))
  })
}

function unknownOption(level: string, key: string, asked: string): ModelCacheError {
  const meant = nearestOption(level, key)
  const names = (LEVELS.get(level) ?? []).map((name) => quoted(dotted(level, name)))
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked,
    reason: 'There is no such option.',
    nextStep: meant === undefined ? `The options are ${names.join(', ')}.` : `Did you mean ${quoted(meant)}?`,
  })
}

/** The closest option, on the same level if possible. A name at the top may be meant for another level: `token` gives `hub.token`. */
function nearestOption(level: string, key: string): string | undefined {
  const levels = level === '' ? [...LEVELS.keys()] : [level, '']
  for (const each of levels) {
    const name = nearest(key, LEVELS.get(each) ?? [])
    if (name !== undefined) return dotted(each, name)
  }
  return undefined
}

function dotted(level: string, name: string): string {
  return level === '' ? name : `${level}.${name}`
}

function quoted(name: string): string {
  return `\`${name}\``
}

/** True for an http or https URL without user name, password, query and fragment. Errors would print a password. */
function isEndpoint(input: string): boolean {
  if (!URL.canParse(input)) return false
  const { protocol, username, password, search, hash } = new URL(input)
  return /^https?:$/.test(protocol) && username + password + search + hash === ''
}

/** The options that are an address. A query may hold a secret. */
const ADDRESSES = ['hub.endpoint', 'remote', 'remote.url']

function show(value: unknown, option: string): string {
  const mayHoldSecret =
    option === 'hub' ||
    option === 'hub.token' ||
    (typeof value === 'string' && (value.includes('@') || (ADDRESSES.includes(option) && /[?#]/.test(value))))
  return mayHoldSecret ? 'a value that is not shown here, as it may hold a secret' : showValue(value)
}
