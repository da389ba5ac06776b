#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { list } from './ls.ts'
import { remove } from './rm.ts'
import { status } from './status.ts'
import { warm } from './warm.ts'

/** 0: done. 1: something failed. 2: the call or the set-up was wrong, and nothing was changed. */
const WRONG_CALL = 2
const WRONG_CALL_CODES = ['INVALID_MODEL', 'INVALID_OPTION', 'CACHE_FORMAT', 'MODEL_NOT_FOUND']

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const program = new Command('vitest-model-cache')
  .description('Looks after the cache of ML models for tests.')
  .version(version)
  .option('--cache-dir <folder>', 'the cache folder (default: MODEL_CACHE_DIR, the Vitest config, the platform)')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })

program
  .command('warm')
  .argument('[model...]', '`[org/]name[@revision]`; without any, those of the Vitest config')
  .description('bring models in before the tests')
  .addHelpText('after', '\nExample: npx vitest-model-cache warm Xenova/all-MiniLM-L6-v2')
  .action((models: string[]) => run(() => warm(models, program.opts())))
program
  .command('status')
  .description('say where the cache is and what it holds')
  .action(() => run(() => status(program.opts())))
program
  .command('ls')
  .description('list the cached models')
  .action(() => run(() => list(program.opts())))
program
  .command('rm')
  .argument('<model...>', '`[org/]name[@revision]`')
  .description('remove models; refused while a test run uses one')
  .addHelpText('after', '\nExample: npx vitest-model-cache rm Xenova/all-MiniLM-L6-v2')
  .action((models: string[]) => run(() => remove(models, program.opts())))
program
  .command('stats')
  .option('--runs <number>', 'how many runs back', wholeNumber, 10)
  .option('--all', 'of all projects that share the cache')
  .option('--json', 'as JSON')
  .description('say how the last runs of this project went, and what the cache takes')
  .addHelpText('after', '\nExample: npx vitest-model-cache stats --runs 20')
  .action((options) => run(async () => (await import('./stats.ts')).stats(options, program.opts())))
program
  .command('report')
  .option('--json', 'as JSON')
  .option('--markdown', 'as Markdown')
  .option('--html <file>', 'as a page of its own, with what the runs before it came to')
  .option('--all', 'of all projects that share the cache')
  .description('show the report of the last run again; exit code 1 where there is none to write')
  .addHelpText('after', '\nExample: npx vitest-model-cache report --html report.html')
  .action((options) => run(async () => (await import('./report.ts')).report(options, program.opts())))

try {
  await program.parseAsync()
} catch (error) {
  // Commander has printed what was wrong; its own code for that is 1.
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : WRONG_CALL
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('A whole number from 1 on is needed.')
}

/** Runs a command: it gives the exit code, or throws what the user is told. */
async function run(command: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command()
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = error instanceof ModelCacheError && WRONG_CALL_CODES.includes(error.code) ? WRONG_CALL : 1
  }
}
