import { printableLines } from '../model/printable.ts'

/** A command that makes GitHub Actions show a warning beside the run. The text can neither end it nor begin another command. */
export function annotation(message: string): string {
  return `::warning title=${property('Model cache')}::${data(printableLines(message))}`
}

// https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
