// The one place that makes text from outside safe to show. A file name, a message of the Hub or a folder's name can hold
// characters that move the cursor, hide text or turn its direction, and lines that a CI log obeys as commands.

// Controls (C0, C1), formats (marks of direction, zero width), separators of lines, lone surrogates, and what is invisible, but
// for the mark that has an emoji drawn in colour.
const UNPRINTABLE = /(?!\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu
const LINE_BREAK = /\r?\n/
// GitHub Actions and Azure Pipelines look for `##[name]` and `##vso[name]` anywhere in a line, and TeamCity for `##teamcity[`:
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
const COMMAND = /##(?=[\w-]*\[)/g
// GitHub Actions takes `::name::` as a command where only white space stands before it.
const COMMAND_AT_START = /^(\s*?)\s?(?=::)/

/** The text as a part of one line. A line break is a space; every other character that can't be seen stands as its escape. */
export function printable(text: string): string {
  return withoutCommands(visible(text.replace(/(\r?\n|\t)+/g, ' ')))
}

/** As `printable`, and each line stays a line. */
export function printableLines(text: string): string {
  return text.split(LINE_BREAK).map(printable).join('\n')
}

/** What can't be seen as escapes: `\u009b`. For where no command is obeyed: Markdown and HTML. */
export function visible(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf)
}

/** The line with a backslash in front of what a CI log would obey. It gets no longer where it is indented. */
export function withoutCommands(line: string): string {
  return line.replace(COMMAND, '##\\').replace(COMMAND_AT_START, '$1\\')
}

/** A copy of plain data in which each text, names of fields too, is `printable`. */
export function printableAll<Data extends object>(data: Data): Data {
  return JSON.parse(JSON.stringify(data), (_, value) => {
    if (typeof value === 'string') return printable(value)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [printable(key), item]))
  })
}

/** A JSON document that says the same to programs, and shows nothing but printable characters. */
export function printableJson(data: object): string {
  return JSON.stringify(data, null, 2)
    .replace(UNPRINTABLE, (character) => (character === '\n' ? character : unitsOf(character)))
    .replace(COMMAND, '#\\u0023')
}

/** A cause is shown by runners with its message and its fields. One that is printable stays as it is. */
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
