import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import type { CacheStatus } from '../cache/inspect/status.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { findPackage } from '../config/jest/find-jest.ts'
import { formatSize } from '../config/units.ts'
import type { Entry } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { count } from '../report/words.ts'
import { RUNS_BACK } from '../run/history.ts'
import { chooseRunner, nameOfRunner, type Runner, type RunnerFlag } from './config/choose-runner.ts'
import { declaredModels } from './config/declared-models.ts'
import { exitCodeOf, handInterruptsTo, interrupted } from './interruption.ts'
import { applyFrozen, type FrozenFlag, type GlobalOptions, type OpenedCache, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { printStatus } from './status.ts'

export interface RunFlags extends GlobalOptions, FrozenFlag, RunnerFlag {
  cleanCache?: boolean
  cacheInfo?: boolean
}

const COMMANDS_OF_VITEST = ['run', 'watch', 'dev', 'related', 'bench', 'list', 'init']

/** Runs the project's own Vitest or Jest and returns its exit code. */
export async function run(args: string[], flags: RunFlags): Promise<number> {
  const runner = chooseRunner(process.cwd(), flags)
  const program = findProgram(runner, process.cwd())
  applyFrozen(flags)
  const opened =
    flags.cleanCache || flags.cacheInfo || flags.json
      ? await openCache(flags, { needsWriting: flags.cleanCache })
      : undefined
  if (flags.cacheDir !== undefined) process.env.MODEL_CACHE_DIR = flags.cacheDir
  const cleaned = opened && flags.cleanCache ? await cleanProject(opened, runner) : undefined
  if (cleaned && !flags.json) printLines(cleanLine(cleaned))
  const before = opened && (flags.cacheInfo || flags.json) ? await opened.cache.status() : undefined
  if (before && !flags.json) show('Before', opened, before)
  const isCommand = runner === 'jest' || COMMANDS_OF_VITEST.includes(args[0] ?? '')
  const exitCode = await runTests(program, isCommand ? args : ['run', ...args], flags.json === true)
  if (!opened || !before) return exitCode
  // The tests changed the cache meanwhile.
  const after = await opened.cache.status()
  if (flags.json) printJson({ exitCode, cleaned: cleaned ?? null, before, after })
  else show('After', opened, after)
  return exitCode
}

interface CleanedProject {
  models: number
  kept: number
  freedBytes: number
}

/** Removes the models that the project declares and that its last runs used. Pinned models and those in use are kept. */
async function cleanProject({ cache, config }: OpenedCache, runner: Runner): Promise<CleanedProject> {
  const entries = await cache.list()
  const used = await usedKeys(cache, config?.[runner]?.root ?? process.cwd())
  const declared: Entry[] = []
  for (const { repo, revision } of await declaredModels(config))
    declared.push(...(await cache.find(`${repo}@${revision}`).catch(none)))
  const among = [...declared, ...entries.filter(({ repo, commit }) => used.has(`${repo}@${commit}`))]
  const { removed, kept, freedBytes } = await cache.clean({ among, signal: interrupted })
  return { models: removed.length, kept: kept.length, freedBytes }
}

async function usedKeys(cache: ModelCache, root: string): Promise<Set<string>> {
  const runs = await cache.lastRuns(root, RUNS_BACK)
  return new Set(runs.flatMap((run) => run.used.map(({ repo, commit }) => `${repo}@${commit}`)))
}

/** A declared model that is not cached needs no removal. */
function none(error: unknown): Entry[] {
  if (error instanceof ModelCacheError && error.code === 'MODEL_NOT_FOUND') return []
  throw error
}

function cleanLine({ models, kept, freedBytes }: CleanedProject): string {
  const left = kept > 0 ? `; kept ${kept} that ${kept === 1 ? 'is' : 'are'} pinned or in use` : ''
  return `Removed ${count(models, 'model')} of this project (${formatSize(freedBytes)})${left}.`
}

function show(when: string, opened: OpenedCache | undefined, status: CacheStatus): void {
  if (!opened) return
  printLines(`\n${when}`)
  printStatus(opened, status)
  printLines('')
}

/** The path of the project's own Vitest or Jest. Throws `INVALID_OPTION` if the project has none. */
function findProgram(runner: Runner, folder: string): string {
  const found = findPackage(runner, join(folder, 'package.json'))
  if (found) return found.program
  const name = nameOfRunner(runner)
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `${name} of ${folder}`,
    reason: `${name} is not installed in this project.`,
    nextStep: `Run \`npm install --save-dev ${runner}\`, or change to the folder of the project.`,
  })
}

/** With `--json`, stdout is for the document of this command, and the output of the tests goes to stderr. */
async function runTests(program: string, args: string[], isJson: boolean): Promise<number> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['inherit', isJson ? 2 : 'inherit', 'inherit'] })
  // At a terminal Ctrl-C reaches the runner too. A second signal would make it stop without its own teardown.
  handInterruptsTo((name) => {
    if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name)
  })
  const [code, signal]: [number | null, NodeJS.Signals | null] = (await once(child, 'exit')) as never
  return signal ? exitCodeOf(signal) : (code ?? 1)
}
