// The only place that makes text from outside safe to print. A file name, a message of the Hub or a folder name can hold
// characters that move the cursor, hide text or change its direction, and lines that a CI system runs as commands.

// Control characters (C0, C1), format characters (direction marks, zero width), line separators, lone surrogates, and all
// other invisible characters. U+FE0F is allowed: it makes an emoji coloured.
const UNPRINTABLE = /(?!\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu
const LINE_BREAK = /\r?\n/
// GitHub Actions and Azure Pipelines look for `##[name]` and `##vso[name]` anywhere in a line, and TeamCity for `##teamcity[`:
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
const COMMAND = /##(?=[\w-]*\[)/g
// GitHub Actions reads `::name::` as a command when only white space precedes it.
const COMMAND_AT_START = /^(\s*?)\s?(?=::)/
// In a JSON document a control character is an escape. Most documents have plain ASCII, no escape, and no marks of a command. The search
// for all invisible characters takes a millisecond in a fresh process.
const MAY_BE_UNPRINTABLE = /[^\x20-\x7e]|\\[^"]|##|::/

/** The text as part of one line. Line breaks and tabs become spaces; every other invisible character becomes its escape. */
export function printable(text: string): string {
  return withoutCommands(visible(text.replace(/(\r?\n|\t)+/g, ' ')))
}

/** As `printable`, but line breaks are kept. */
export function printableLines(text: string): string {
  return text.split(LINE_BREAK).map(printable).join('\n')
}

/** Replaces invisible characters by escapes such as `\u009b`. Enough for Markdown and HTML, where no commands are run. */
export function visible(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf)
}

/** Puts a backslash before text that a CI system would run as a command. In an indented line it replaces one space. */
export function withoutCommands(line: string): string {
  return line.replace(COMMAND, '##\\').replace(COMMAND_AT_START, '$1\\')
}

/** A copy of plain data in which each string is `printable`, field names included. */
export function printableAll<Data extends object>(data: Data): Data {
  const json = JSON.stringify(data)
  if (!MAY_BE_UNPRINTABLE.test(json)) return JSON.parse(json)
  return JSON.parse(json, (_, value) => {
    if (typeof value === 'string') return printable(value)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [printable(key), item]))
  })
}

/** A JSON document with printable characters only: all others are JSON escapes, so a parser reads the same values. */
export function printableJson(data: object): string {
  return JSON.stringify(data, null, 2)
    .replace(UNPRINTABLE, (character) => (character === '\n' ? character : unitsOf(character)))
    .replace(COMMAND, '#\\u0023')
}

/**
 * Makes a cause printable, because test runners print its message and its fields. A cause with only printable texts is returned
 * unchanged.
 */
export function printableCause(cause: unknown): unknown {
  if (typeof cause !== 'object' || cause === null) return typeof cause === 'string' ? printableLines(cause) : cause
  const texts = ['message', ...Object.keys(cause)].map((key): unknown => Reflect.get(cause, key))
  if (texts.every((text) => typeof text !== 'string' || printableLines(text) === text)) return cause
  const [name, message, code] = ['name', 'message', 'code'].map((key) =>
    printableLines(String(Reflect.get(cause, key))),
  )
  return Object.assign(new Error(message), { name, code })
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code > 0xffff ? `\\u{${code.toString(16)}}` : unitsOf(character)
}

function unitsOf(character: string): string {
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('')
}
