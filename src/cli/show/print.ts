import process from 'node:process'
import { printableLines } from '../../model/printable.ts'
import { isColored } from './style.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: as `paint` writes colours
const COLOR = /(\u001b\[\d{1,2}m)/

let showsResults = true

/** From now on `printLines` prints nothing. With `--quiet`, the exit code alone says what a command did. */
export function sayNothingOfResults(): void {
  showsResults = false
}

/** Prints whole lines of a command's result. All output of commands is made printable, here or in `printNotes`. */
export function printLines(text: string): void {
  if (showsResults) console.log(shown(text, process.stdout))
}

/** Prints whole lines to stderr: messages for the user that are not part of the result. */
export function printNotes(text: string): void {
  console.error(shown(text, process.stderr))
}

/** Makes the text between colour codes printable. Without colours, a colour code can only come from outside and is escaped. */
export function shown(text: string, stream: NodeJS.WriteStream): string {
  if (!isColored(stream)) return printableLines(text)
  return text
    .split(COLOR)
    .map((part, index) => (index % 2 === 1 ? part : printableLines(part)))
    .join('')
}
