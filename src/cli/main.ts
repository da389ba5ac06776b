#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
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

try {
  await program.parseAsync()
} catch (error) {
  // Commander has printed what was wrong; its own code for that is 1.
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : WRONG_CALL
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
