import process from 'node:process'
import type { Exported } from '../cache/export.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { ModelCacheError } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { count, labelOf } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { openBytesProgress } from './show/progress.ts'
import { atCommit } from './show/text.ts'

interface ExportFlags extends GlobalOptions {
  force?: boolean
  dryRun?: boolean
}

/** Writes all models, or some, into one archive. `-` writes it to stdout; then all messages go to stderr. */
export async function exportModels(file: string, names: string[], options: ExportFlags): Promise<number> {
  const toStdout = file === '-'
  if (toStdout) checkStdout(options)
  const { cache } = await openCache(options)
  const entries = names.length > 0 ? await cache.find(...names) : await cache.list()
  const { force, dryRun } = options
  const started = originals.monotonic()
  const progress = await openBytesProgress('exporting', count(entries.length, 'model'))
  let exported: Exported
  try {
    const onProgress = progress.show
    exported = await cache.exportTo(toStdout ? process.stdout : file, entries, {
      force,
      dryRun,
      signal: interrupted,
      onProgress,
    })
  } finally {
    progress.end()
  }
  const ms = originals.monotonic() - started
  if (options.json) printJson(exportedJson(file, exported, { ms, dryRun: dryRun ?? false }))
  else (toStdout ? printNotes : printLines)(summary(file, exported, ms))
  noteRestricted(exported)
  return 0
}

/** An archive has no access control. */
function noteRestricted({ entries }: Exported): void {
  const restricted = entries.filter(({ access }) => access === 'private' || access === 'gated')
  if (restricted.length === 0) return
  const names = restricted.map((entry) => `${labelOf(entry)} (${entry.access})`).join(', ')
  printNotes(`Not public: ${names}. Whoever has the archive can read these models. Give it only to those who may.`)
}

function exportedJson(file: string, exported: Exported, { ms, dryRun }: { ms: number; dryRun: boolean }): object {
  const { entries, bytes, archiveBytes, compression } = exported
  return { dryRun, file, compression, models: entries.map(entryJson), bytes, archiveBytes, ms: Math.round(ms) }
}

function summary(file: string, { entries, bytes, archiveBytes, compression }: Exported, ms: number): string {
  const models = entries.map((entry) => `  ${atCommit(entry)}`).join('\n')
  const what = `${count(entries.length, 'model')} (${formatSize(bytes)})`
  if (archiveBytes === null) return `Would export ${what} to ${file}:\n${models}`
  const how = compression === 'none' ? 'uncompressed' : compression
  return `Exported ${what} to ${file === '-' ? 'standard output' : file}: ${formatSize(archiveBytes)}, ${how}, in ${formatDuration(ms)}\n${models}`
}

function checkStdout({ json }: ExportFlags): void {
  const reason = json
    ? 'The archive and the document of --json would be mixed.'
    : process.stdout.isTTY
      ? 'An archive is not written to a terminal.'
      : undefined
  if (reason === undefined) return
  const nextStep = 'Name a file, or pipe the output. Nothing was written.'
  throw new ModelCacheError({ code: 'INVALID_OPTION', asked: 'Archive -', reason, nextStep })
}
