import { stripVTControlCharacters } from 'node:util'

/** The words of each report in the output, without figures, paths and lines that appear only in a slow run. */
export function reportShapes(output: string): string[] {
  const [, ...reports] = stripVTControlCharacters(output).split(/^ Model cache$/m)
  return reports.map((report) =>
    (report.split(/\n\n|\nSummary|\n$/, 1)[0] ?? '')
      .replace(/→ .*?(?=\n {2}\S)/s, '')
      .replace(/ \([\d.]+ \w+\/s\)/g, '')
      .replace(/· \/.*/, '· path')
      .replace(/\d[\d.]*( ?(ms|s|min|[KMGT]iB|KB|MB|GB|B))?\b/g, '#')
      // A model's line that is too long is continued on the next line, with dots for wider spaces.
      .replace(/[\s·]+/g, ' ')
      .trim(),
  )
}
