#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { isSystemError, ModelCacheError, messageOf, systemCode } from '../model/errors.ts'
import { interrupted, interruptedWith, listenForInterrupts } from './interruption.ts'
import { printNotes } from './show/print.ts'

/** 0: done. 1: something failed. 2: the call or the set-up was wrong, and nothing was changed. */
const WRONG_CALL = 2
const WRONG_CALL_CODES: string[] = [
  'INVALID_MODEL',
  'INVALID_OPTION',
  'CACHE_FORMAT',
  'NOT_A_CACHE',
  'MODEL_NOT_FOUND',
  'UNSAFE_PATH',
]
const EXIT_CODES =
  'Exit codes: 0 done, 1 something failed, 2 wrong call or set-up and nothing changed, 130 interrupted.'
const NAMES =
  '\nA model is named `[org/]name[@revision]`, by the first digits of its commit, or by a glob such as "Xenova/*".'
const DRY_RUN = 'only say what would be done'
const YES = 'do not ask'
const ALL_PROJECTS = 'of all projects that share the cache'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const program = new Command('vitest-model-cache')
  .description('Looks after the cache of ML models for tests.')
  .version(version)
  .option('--cache-dir <folder>', 'the cache folder (default: MODEL_CACHE_DIR, the Vitest config, the platform)', named)
  .option('--json', 'print the result as one JSON document')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .addHelpText('after', `\n${EXIT_CODES}`)

// Each command's module is loaded when it is called for.
command('status', 'say where the cache is, how full, and how well runs are served', 'status --json')
  .alias('info')
  .action(() => run(async () => (await import('./status.ts')).status(program.opts())))
command('ls [pattern]', 'list the cached models', "ls --sort size --filter 'size>100MB' --filter 'accessed>7d'")
  .option('--sort <column>', 'model, revision, commit, size, files, used, age, hits or pinned')
  .option('--filter <comparison>', "such as 'size>100MB'; may be given more than once", collect)
  .option('--files', 'list the files of each model, too')
  .action((pattern, options) => run(async () => (await import('./ls.ts')).list(pattern, merged(options))))
command('warm [model...]', 'bring models in before the tests', 'warm Xenova/all-MiniLM-L6-v2')
  .option('--config', 'those of the Vitest config, too; without a model, these alone')
  .action((models, options) => run(async () => (await import('./warm.ts')).warm(models, merged(options))))
command('verify [model...]', 'recompute the digests of all files, or of some models', 'verify --repair')
  .option('--repair', 'bring in anew what is wrong')
  .action((models, options) => run(async () => (await import('./verify.ts')).verify(models, merged(options))))
command('clean', 'remove models that are not needed: all, or by any of the flags', 'clean --older-than 7d --dry-run')
  .option('--expired', 'unused for longer than `maxAge`')
  .option('--older-than <duration>', 'unused for longer, such as 7d')
  .option('--unused [runs]', 'not asked for in the last runs of any project (default: 10)')
  .option('--incomplete', 'partial downloads that nobody is writing')
  .option('--pinned', 'pinned models too, of those that are chosen')
  .option('--dry-run', DRY_RUN)
  .option('-y, --yes', YES)
  .action((options) => run(async () => (await import('./clean.ts')).clean(merged(options))))
command('optimize', 'free space without losing anything that is wanted', 'optimize --dry-run')
  .option('--dry-run', DRY_RUN)
  .action((options) => run(async () => (await import('./optimize.ts')).optimize(merged(options))))
command('rm <model...>', 'remove models; refused while a test run uses one', 'rm Xenova/all-MiniLM-L6-v2 --yes')
  .option('--dry-run', DRY_RUN)
  .option('-y, --yes', YES)
  .action((models, options) => run(async () => (await import('./rm.ts')).remove(models, merged(options))))
command('pin <model...>', 'never expire nor evict models', 'pin Xenova/all-MiniLM-L6-v2').action((models) =>
  run(async () => (await import('./pin.ts')).pin(models, true, program.opts())),
)
command('unpin <model...>', 'treat models like all others again', 'unpin Xenova/all-MiniLM-L6-v2').action((models) =>
  run(async () => (await import('./pin.ts')).pin(models, false, program.opts())),
)
command('path <model> [file]', 'print the absolute path of a cached model or file', 'path org/name config.json').action(
  (model, file) => run(async () => (await import('./path.ts')).path(model, file, program.opts())),
)
command('doctor', 'look at what commonly goes wrong', 'doctor').action(() =>
  run(async () => (await import('./doctor.ts')).doctor(program.opts())),
)
command(
  'run [args...]',
  "run the project's own Vitest with these arguments, and end with its exit code",
  'run --clean-cache -- --bail 1',
)
  .option('--clean-cache', "first remove this project's models, other than pinned ones and those in use")
  .option('--cache-info', 'show the state of the cache before and after')
  .action((args, options) => run(async () => (await import('./run.ts')).run(args, merged(options))))
command('stats', 'say how the last runs of this project went, and what the cache takes', 'stats --runs 20')
  .option('--runs <number>', 'how many runs back', wholeNumber, 10)
  .option('--all', ALL_PROJECTS)
  .action((options) => run(async () => (await import('./stats.ts')).stats(merged(options))))
command(
  'report',
  'show the report of the last run again; exit code 1 where there is none to write',
  'report --html report.html',
)
  .option('--markdown', 'as Markdown')
  .option('--html <file>', 'as a page of its own, with what the runs before it came to')
  .option('--all', ALL_PROJECTS)
  .action((options) => run(async () => (await import('./report.ts')).report(merged(options))))

listenForInterrupts()
try {
  await program.parseAsync()
} catch (error) {
  // Commander has printed what was wrong; its own code for that is 1.
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : WRONG_CALL
}

function command(nameAndArguments: string, description: string, example: string): Command {
  return program
    .command(nameAndArguments)
    .description(description)
    .addHelpText('after', /[<[](model|pattern)/.test(nameAndArguments) ? NAMES : '')
    .addHelpText('after', `\nExample: npx vitest-model-cache ${example}\n${EXIT_CODES}`)
}

/** The command's own options and those of all commands. */
function merged<T extends object>(options: T): T & { cacheDir?: string; json?: boolean } {
  return { ...program.opts(), ...options }
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('A whole number from 1 on is needed.')
}

/** An empty name, such as a script's variable that is not set, must not mean the default folder. */
function named(folder: string): string {
  if (folder.trim() !== '') return folder
  throw new InvalidArgumentError('The name of a folder is needed.')
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

/** What the system refused (a full disk, a folder that is read-only) says by itself neither what nor what to do. */
function reasonOf(error: unknown): string {
  if (!isSystemError(error)) return messageOf(error)
  const nextStep = 'Check the permissions and the disk of the folder, or name another one.'
  return `The command ended before it was done: ${messageOf(error)}. ${nextStep} [${systemCode(error)}]`
}

/** Runs a command: it gives the exit code, or throws what the user is told. */
async function run(command: () => Promise<number>): Promise<void> {
  try {
    const code = await command()
    process.exitCode = interruptedWith() ?? code
  } catch (error) {
    printNotes(interrupted.aborted ? 'Interrupted: what was done until then stays done.' : reasonOf(error))
    const isWrongCall = error instanceof ModelCacheError && WRONG_CALL_CODES.includes(error.code)
    process.exitCode = interruptedWith() ?? (isWrongCall ? WRONG_CALL : 1)
  }
}
