import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import process from 'node:process'
import type { LockedModel } from '../../model/lock-file.ts'
import { modelLabel } from '../../model/model.ts'
import { count } from '../../report/words.ts'
import { printJson } from '../show/json.ts'
import { printLines, printNotes } from '../show/print.ts'
import { paint } from '../show/style.ts'
import { isIn, type Wanted } from './wanted-models.ts'

/** Checks that a lock file has all wanted models. `own` are its models for the configured endpoint. The exit code is 1 if one is missing. */
export function checkLockFile(path: string, own: LockedModel[], wanted: Wanted[], json = false): number {
  const exists = existsSync(path)
  const missing = wanted.filter((model) => !isIn(model, own))
  const unused = own.filter((model) => !isIn(model, wanted))
  const ok = exists && missing.length === 0
  if (json) printJson({ path, ok, exists, models: own.length, missing: missing.map(named), unused: unused.map(named) })
  else if (ok) {
    const all = count(wanted.length, 'model')
    printLines(`${paint('green', '✓')} ${nameOf(path)} has all ${all} of the config and the last runs.`)
  } else {
    const lines = exists ? missing.map((model) => `lacks ${modelLabel(model)}`) : ['does not exist']
    for (const line of lines) printNotes(`${paint('red', '✗', process.stderr)} ${nameOf(path)} ${line}`)
    printNotes('Run `npx vitest-model-cache lock` and commit the file.')
  }
  return ok ? 0 : 1
}

/** The path as messages name it. */
export function nameOf(path: string): string {
  return relative(process.cwd(), path)
}

function named({ repo, revision }: Wanted): Wanted {
  return { repo, revision }
}
