import { stripVTControlCharacters } from 'node:util'

/** The words of a run's report, each once it began: figures, paths and what only a slow run is told are left out. */
export function reportShapes(output: string): string[] {
  const [, ...reports] = stripVTControlCharacters(output).split(/^ Model cache$/m)
  return reports.map((report) =>
    (report.split(/\n\n|\nSummary|\n$/, 1)[0] ?? '')
      .replace(/→ .*?(?=\n {2}\S)/s, '')
      .replace(/ \([\d.]+ \w+\/s\)/g, '')
      .replace(/· \/.*/, '· path')
      .replace(/\d[\d.]*( ?(ms|s|min|[KMGT]iB|KB|MB|GB|B))?\b/g, '#')
      .replace(/\s+/g, ' ')
      .trim(),
  )
}
