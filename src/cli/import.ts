import process from 'node:process'
import type { Imported } from '../cache/import.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { ModelCacheError } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { count } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { openBytesProgress } from './show/progress.ts'
import { atCommit } from './show/text.ts'

interface ImportFlags extends GlobalOptions {
  dryRun?: boolean
}

/** Takes over the models of an archive that `export` wrote. `-` reads it from stdin. */
export async function importModels(file: string, options: ImportFlags): Promise<number> {
  if (file === '-' && process.stdin.isTTY) throw noArchive()
  const { dryRun = false } = options
  const { cache } = await openCache(options, { needsWriting: !dryRun })
  const started = originals.monotonic()
  const progress = await openBytesProgress(dryRun ? 'checking' : 'importing', 'archive')
  let imported: Imported
  try {
    const onProgress = progress.show
    imported = await cache.importFrom(file === '-' ? process.stdin : file, { dryRun, signal: interrupted, onProgress })
  } finally {
    progress.end()
  }
  const ms = originals.monotonic() - started
  if (options.json)
    printJson({ dryRun, file, models: imported.models.map(modelJson), bytes: imported.bytes, ms: Math.round(ms) })
  else printLines(summary(imported, { ms, dryRun }))
  return 0
}

function modelJson({ archived, addedFiles }: Imported['models'][number]): object {
  const { repo, revision, commit, endpoint = null, access, task = null, files } = archived
  const bytes = [...new Map([...files.values()].map(({ digest, size }) => [digest, size])).values()]
  const size = bytes.reduce((sum, each) => sum + each, 0)
  return { ...{ repo, revision, commit, endpoint, access, task }, files: files.size, bytes: size, addedFiles }
}

function summary({ models, bytes }: Imported, { ms, dryRun }: { ms: number; dryRun: boolean }): string {
  const what = `${count(models.length, 'model')} (${formatSize(bytes)})`
  const first = dryRun ? `Would import ${what}. Each file has its digest.` : `Imported ${what} in ${formatDuration(ms)}`
  const lines = models.map(({ archived, addedFiles }) => `  ${atCommit(archived)}${outcome(addedFiles)}`)
  return [first, ...lines].join('\n')
}

function outcome(addedFiles: number | null): string {
  if (addedFiles === null) return ''
  return addedFiles === 0 ? ': already cached' : `: ${count(addedFiles, 'new file')}`
}

function noArchive(): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Archive -',
    reason: 'Standard input is a terminal.',
    nextStep: 'Name a file, or pipe an archive into the command. Nothing was changed.',
  })
}
