import { existsSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { readText } from './read-text.ts'
import type { Step } from './step.ts'

const FILE = '.gitignore'
/** The folder of the recipes for CI. */
const DEFAULT_FOLDER = '.model-cache'

/** Keeps a cache folder inside the project out of Git. Undefined where there is no Git, or nothing to do. */
export function gitignoreStep(folder: string, cacheDir: string | undefined): Step | undefined {
  const before = readText(join(folder, FILE))
  if (before === undefined && !existsSync(join(folder, '.git'))) return undefined
  const inside = cacheDir === undefined ? '..' : relative(folder, cacheDir).split(sep).join('/')
  const isInside = inside !== '' && !inside.startsWith('..') && !/^[a-z]:/i.test(inside)
  const ignored = isInside ? inside : DEFAULT_FOLDER
  const lines = (before ?? '').split(/\r?\n/).map((line) => line.trim().replace(/^\//, '').replace(/\/$/, ''))
  if (lines.includes(ignored)) return undefined
  const newline = before?.includes('\r\n') ? '\r\n' : '\n'
  const gap = before === undefined || before === '' || before.endsWith('\n') ? '' : newline
  const after = `${before ?? ''}${gap}${ignored}/${newline}`
  return { kind: 'write', path: FILE, what: `ignore ${ignored}/`, before, after }
}
