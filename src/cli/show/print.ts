import process from 'node:process'
import { printableLines } from '../../model/printable.ts'
import { isColored } from './style.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: as `paint` writes colours
const COLOR = /(\u001b\[\d{1,2}m)/

let showsResults = true

/** From now on `printLines` prints nothing: with `--quiet`, what a command did is said by its exit code. */
export function sayNothingOfResults(): void {
  showsResults = false
}

/** Prints whole lines of a command's result. All that commands print goes through here or `printNotes`, and comes out printable. */
export function printLines(text: string): void {
  if (showsResults) console.log(shown(text, process.stdout))
}

/** Prints whole lines for the user beside the result, to stderr. */
export function printNotes(text: string): void {
  console.error(shown(text, process.stderr))
}

/** Text between colours is made printable. Where nothing is coloured a colour comes from outside. */
export function shown(text: string, stream: NodeJS.WriteStream): string {
  if (!isColored(stream)) return printableLines(text)
  return text
    .split(COLOR)
    .map((part, index) => (index % 2 === 1 ? part : printableLines(part)))
    .join('')
}
