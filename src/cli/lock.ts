import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { replaceFile } from '../cache/store/atomic-write.ts'
import { readLockFile } from '../config/lock-file.ts'
import type { Options } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type LockedModel, type LockFile, printLockFile } from '../model/lock-file.ts'
import { modelLabel } from '../model/model.ts'
import { count } from '../report/words.ts'
import { type Change, changeJson, changeLine, changeOf, inOrder, isSame } from './lock/changes.ts'
import { checkLockFile, nameOf } from './lock/check.ts'
import { type Failure, stateModels } from './lock/state-models.ts'
import { distinct, isIn, namedModels, wantedModels } from './lock/wanted-models.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { paint } from './show/style.ts'

export interface LockFlags extends GlobalOptions {
  update?: boolean
  check?: boolean
  prune?: boolean
  dryRun?: boolean
}

/**
 * Adds the named models to the lock file, or those that the config declares and the last runs used. The exit code is 1 if one failed,
 * and with `--check` if one is missing.
 */
export async function lock(names: string[], flags: LockFlags): Promise<number> {
  const { cache, config, options } = await openCache(flags, { usesLockFile: false })
  const path = pathOf(options)
  const file: LockFile = readLockFile(path) ?? { models: [] }
  // What the file states for other endpoints stays as it is.
  const own = file.models.filter(({ endpoint }) => endpoint === options.hub.endpoint)
  const wanted = await wantedModels(cache, config)
  const chosen = names.length > 0 ? namedModels(names, distinct([...wanted, ...own])) : wanted
  if (flags.check) return checkLockFile(path, own, chosen, flags.json)
  const pruned = flags.prune ? own.filter((model) => !isIn(model, [...wanted, ...chosen])) : []
  const others = names.length === 0 && flags.update ? own.filter((model) => !pruned.includes(model)) : []
  const models = distinct([...chosen, ...others])
  if (models.length === 0 && pruned.length === 0) return nothingToLock(own)
  const { changes, failures } = await stateModels(cache, models, own, flags.update === true)
  changes.push(...pruned.map((model) => changeOf(model, undefined)))
  const isWritten = !flags.dryRun && changes.some(({ action }) => action !== 'unchanged')
  // Another `lock` may have written the file while the Hub was asked.
  const latest = isWritten ? (readLockFile(path) ?? { models: [] }) : file
  const result = { path, file: changed(latest, changes), changes: inOrder(changes), failures }
  if (isWritten) write(path, result.file)
  if (flags.json) printJson(resultJson(result, flags, isWritten))
  else print(result, flags)
  return failures.length > 0 ? 1 : 0
}

interface Result {
  path: string
  /** The lock file after the changes. */
  file: LockFile
  changes: Change[]
  failures: Failure[]
}

function pathOf({ lockfile }: Options): string {
  if (lockfile !== undefined) return lockfile
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: 'Option `lockfile`',
    reason: 'It is false, so no lock file is used.',
    nextStep: 'Remove the option, or name a file.',
  })
}

function nothingToLock(own: LockedModel[]): number {
  const has = own.length > 0 ? ` The lock file keeps its ${count(own.length, 'model')}.` : ''
  printNotes(`The config declares no model, and no recorded run of this project used one.${has}`)
  return own.length > 0 ? 0 : 2
}

function changed({ schema, models }: LockFile, changes: Change[]): LockFile {
  const done = changes.filter(({ action }) => action !== 'unchanged')
  const isTouched = (model: LockedModel) =>
    done.some(({ before, after }) => [before, after].some((one) => one && isSame(one, model)))
  return {
    schema,
    models: [...models.filter((model) => !isTouched(model)), ...done.flatMap(({ after }) => after ?? [])],
  }
}

/** Replaces the file at once, so that nobody reads half of it. A link stays a link. */
function write(path: string, file: LockFile): void {
  const target = existsSync(path) ? realpathSync(path) : path
  mkdirSync(dirname(target), { recursive: true })
  replaceFile(target, dirname(target), (temporary) => writeFileSync(temporary, printLockFile(file)))
}

function print({ path, file, changes, failures }: Result, { update, dryRun }: LockFlags): void {
  const done = changes.filter(({ action }) => action !== 'unchanged')
  for (const change of update ? changes : done) printLines(changeLine(change))
  for (const { error } of failures) printNotes(`${paint('red', '✗', process.stderr)} ${error.message}`)
  const has = `${nameOf(path)} has ${count(file.models.length, 'model')}`
  if (done.length === 0) printLines(`${has}: nothing to change.`)
  else printLines(dryRun ? `Would write ${nameOf(path)}.` : `${has} now. Commit it.`)
  const hidden = done.flatMap(({ after }) => (after?.access === 'private' ? [modelLabel(after)] : []))
  if (hidden.length > 0)
    printNotes(
      `Private: ${hidden.join(', ')}. The names and digests of the files are in ${nameOf(path)} for all who can read it.`,
    )
}

function resultJson({ path, changes, failures }: Result, { dryRun = false }: LockFlags, written: boolean): object {
  const failed = ({ model: { repo, revision }, error }: Failure) => ({ repo, revision, error: error.toJSON() })
  return { path, dryRun, written, models: changes.map(changeJson), failures: failures.map(failed) }
}
