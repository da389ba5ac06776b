import { readFileSync } from 'node:fs'
import process from 'node:process'
import { Command, Option } from 'commander'
import { warnOfUnknownVariables } from '../config/environment-variables.ts'
import { perform } from './perform.ts'
import { printNotes, sayNothingOfResults } from './show/print.ts'
import { isQuiet, setVerbosity } from './show/verbosity.ts'
import { address, collect, duration, lastRuns, named, portNumber, wholeNumber } from './values.ts'

const EXIT_CODES =
  'Exit codes: 0 done, 1 something failed, 2 wrong call or set-up and nothing changed, 130 interrupted.'
const NAMES =
  '\nA model is named `[org/]name[@revision]`, by the first digits of its commit, or by a glob such as "Xenova/*".'
const ARCHIVES =
  '\nThe ending of the file chooses the compression: .tar, .tar.gz or .tar.zst. `-` is standard output or input.'
const DRY_RUN = 'only print what would be done'
const RUNS_BACK = 'how many of the last runs to read'
const FROZEN = 'refuse models that the lock file lacks'
const ALL_PROJECTS = 'of all projects that share the cache'

interface GlobalFlags {
  cacheDir?: string
  json?: boolean
  quiet?: boolean
  verbose?: boolean
  yes?: boolean
}

/** All commands and their options. The module of a command is loaded when the command is called. */
export function makeProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const program = new Command('vitest-model-cache')
    .description('Looks after the cache of ML models for tests.')
    .version(version)
    .option('--cache-dir <folder>', 'the cache folder (default: MODEL_CACHE_DIR, the config, the platform)', named)
    .option('--json', 'print the result as one JSON document')
    .option('-y, --yes', 'do not ask')
    .addOption(new Option('-q, --quiet', 'print only results, warnings and errors').conflicts('verbose'))
    .option('-v, --verbose', 'print each decision of the cache, and the stack of an error')
    .exitOverride()
    // `explainWrongCall` names everything that is wrong with the call at once.
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `\n${EXIT_CODES}`)
    .hook('preAction', (_, called) => {
      setVerbosity(program.opts())
      // The tests that `run` starts warn too.
      const warning = called.name() === 'run' ? undefined : warnOfUnknownVariables(process.env)
      if (warning !== undefined) printNotes(warning)
    })

  function command(nameAndArguments: string, description: string, example: string, parent = program): Command {
    return parent
      .command(nameAndArguments)
      .description(description)
      .addHelpText('after', /[<[](model|pattern)/.test(nameAndArguments) ? NAMES : '')
      .addHelpText('after', `\nExample: npx vitest-model-cache ${example}\n${EXIT_CODES}`)
  }

  function runnerOption(): Option {
    return new Option('--runner <name>', 'the test runner, if both are installed').choices(['vitest', 'jest'])
  }

  /** The command's own options and those of all commands. */
  function merged<T extends object>(options: T): T & GlobalFlags {
    return { ...program.opts<GlobalFlags>(), ...options }
  }

  /** Runs a command that is called for what it does, not for what it prints. */
  function act(run: () => Promise<number>): Promise<void> {
    if (isQuiet() && !program.opts<GlobalFlags>().json) sayNothingOfResults()
    return perform(run)
  }

  command('init', 'set this project up: config of Vitest or Jest, types, .gitignore', 'init --github')
    .addOption(runnerOption())
    .option('--github', 'also write a GitHub workflow that caches the models')
    .option('--dry-run', DRY_RUN)
    .action((options) => perform(async () => (await import('./init.ts')).init(merged(options))))
  command('status', 'show the cache folder, its size, and the hit rate', 'status --json')
    .alias('info')
    .action(() => perform(async () => (await import('./status.ts')).status(program.opts())))
  command('ls [pattern]', 'list the cached models', "ls --sort size --filter 'size>100MB' --filter 'accessed>7d'")
    .alias('list')
    .option('--sort <column>', 'model, revision, commit, size, files, used, age, hits or pinned')
    .option('--filter <comparison>', "such as 'size>100MB'; may be given more than once", collect)
    .option('--files', 'list the files of each model, too')
    .action((pattern, options) => perform(async () => (await import('./ls.ts')).list(pattern, merged(options))))
  command('warm [model...]', 'download models before the tests', "warm Xenova/all-MiniLM-L6-v2 'onnx-community/*'")
    .option('--config', 'also the models of the config; the default if no model is named')
    .option('--frozen', FROZEN)
    .action((models, options) => act(async () => (await import('./warm.ts')).warm(models, merged(options))))
  command('verify [model...]', 'recompute the digests of all files, or of some models', 'verify --repair')
    .option('--repair', 'download damaged files again')
    .action((models, options) => perform(async () => (await import('./verify.ts')).verify(models, merged(options))))
  command('clean', 'remove all models, or those that the flags select', 'clean --older-than 7d --dry-run')
    .alias('prune')
    .option('--expired', 'unused for longer than `maxAge`')
    .option('--older-than <duration>', 'unused for longer, such as 7d', duration)
    .option('--unused [runs]', 'not asked for in the last runs of any project (default: 10)', lastRuns)
    .option('--incomplete', 'unfinished downloads that no process continues')
    .option('--pinned', 'also pinned models')
    .option('--dry-run', DRY_RUN)
    .action((options) => act(async () => (await import('./clean.ts')).clean(merged(options))))
  command('optimize', 'remove leftovers and expired models; store duplicate files once', 'optimize --dry-run')
    .option('--dry-run', DRY_RUN)
    .action((options) => act(async () => (await import('./optimize.ts')).optimize(merged(options))))
  command('pack [model...]', 'store unused models, or these, in compressed chunks', 'pack --older-than 7d --dry-run')
    .option(
      '--older-than <duration>',
      'only models unused for longer (default: `packAfter`, or 2d; 0 if models are named)',
      duration,
    )
    .option('--dry-run', DRY_RUN)
    .action((models, options) => act(async () => (await import('./pack.ts')).pack(models, merged(options))))
  command('unpack [model...]', 'restore all packed models, or these', 'unpack Xenova/all-MiniLM-L6-v2')
    .option('--dry-run', DRY_RUN)
    .action((models, options) => act(async () => (await import('./unpack.ts')).unpack(models, merged(options))))
  command('rm <model...>', 'remove models; refused while a test run uses one', 'rm Xenova/all-MiniLM-L6-v2 --yes')
    .alias('remove')
    .option('--dry-run', DRY_RUN)
    .action((models, options) => act(async () => (await import('./rm.ts')).remove(models, merged(options))))
  command('pin <model...>', 'never remove these models for age or size', 'pin Xenova/all-MiniLM-L6-v2').action(
    (models) => act(async () => (await import('./pin.ts')).pin(models, true, program.opts())),
  )
  command('unpin <model...>', 'undo pin', 'unpin Xenova/all-MiniLM-L6-v2').action((models) =>
    act(async () => (await import('./pin.ts')).pin(models, false, program.opts())),
  )
  command(
    'path <model> [file]',
    'print the absolute path of a cached model or file',
    'path org/name config.json',
  ).action((model, file) => perform(async () => (await import('./path.ts')).path(model, file, program.opts())))
  command('suggest', 'print the `models` that the last runs of this project used, ready to paste', 'suggest --runs 20')
    .option('--runs <number>', RUNS_BACK, wholeNumber, 10)
    .addOption(runnerOption())
    .option('--write', 'write them into the config')
    .option('--dry-run', DRY_RUN)
    .action((options) => perform(async () => (await import('./suggest.ts')).suggest(merged(options))))
  command(
    'lock [model...]',
    'write the commits and digests of the declared and used models into models.lock.json',
    'lock --update Xenova/all-MiniLM-L6-v2',
  )
    .option('--update', 'lock these models, or all, at their newest commits')
    .option('--prune', 'remove models that neither the config nor the last runs of this project use')
    .addOption(
      new Option('--check', 'only check that the file has all of them').conflicts(['update', 'prune', 'dryRun']),
    )
    .option('--dry-run', DRY_RUN)
    .action((models, options) => perform(async () => (await import('./lock.ts')).lock(models, merged(options))))
  command('export <file> [model...]', 'write all models, or some, into one archive', 'export models.tar.gz')
    .option('--force', 'replace a file that exists')
    .option('--dry-run', DRY_RUN)
    .addHelpText('after', ARCHIVES)
    .action((file, models, options) =>
      act(async () => (await import('./export.ts')).exportModels(file, models, merged(options))),
    )
  command('import <file>', 'take over the models of an archive that `export` wrote', 'import models.tar.gz')
    .option('--dry-run', 'only read and check the archive')
    .addHelpText('after', ARCHIVES)
    .action((file, options) => act(async () => (await import('./import.ts')).importModels(file, merged(options))))
  command('push [model...]', 'send all cached models, or some, to the remote', 'push --dry-run')
    .option('--dry-run', DRY_RUN)
    .action((models, options) => act(async () => (await import('./remote/push.ts')).push(models, merged(options))))
  command('pull [model...]', 'take models from the remote; no file is downloaded from the Hub', 'pull --locked')
    .option('--locked', 'all files that the remote has of the models of the lock file')
    .option('--config', 'also the models of the config; the default if no model is named')
    .option('--dry-run', DRY_RUN)
    .action((models, options) => act(async () => (await import('./remote/pull.ts')).pull(models, merged(options))))
  const remote = command(
    'remote',
    'look at the remote, or remove old objects from it',
    'remote prune --older-than 30d --dry-run',
  )
  command('status', 'show whether it answers, and what it has of the cached models', 'remote status', remote).action(
    () => perform(async () => (await import('./remote/status.ts')).status(program.opts())),
  )
  command(
    'prune',
    'remove objects that were last written long ago; one that is still used comes back with the next run that downloads it',
    'remote prune --older-than 30d',
    remote,
  )
    .requiredOption('--older-than <duration>', 'last written longer ago, such as 30d', duration)
    .option('--dry-run', DRY_RUN)
    .action((options) => act(async () => (await import('./remote/prune.ts')).prune(merged(options))))
  command('key', 'print a key for a CI cache, made from the lock file, else from the cached models', 'key')
    .addOption(new Option('--config', 'make it from the models that the config declares').conflicts('cached'))
    .option('--cached', 'make it from the cached models, also if there is a lock file')
    .action((options) => perform(async () => (await import('./key.ts')).key(merged(options))))
  command('doctor', 'check versions, config, cache folder, disk and network', 'doctor').action(() =>
    perform(async () => (await import('./doctor.ts')).doctor(program.opts())),
  )
  command(
    'run [args...]',
    "run the project's own Vitest or Jest with these arguments, and end with its exit code",
    'run --clean-cache -- --bail 1',
  )
    .addOption(runnerOption())
    .option('--clean-cache', "first remove this project's models, other than pinned ones and those in use")
    .option('--cache-info', 'show the state of the cache before and after')
    .option('--frozen', FROZEN)
    .action((args, options) => perform(async () => (await import('./run.ts')).run(args, merged(options))))
  command(
    'serve',
    'serve the cached models as a read-only Hub, for HF_ENDPOINT of other tools and machines',
    'serve --pull-through',
  )
    .option('--port <number>', 'the port; 0 for any free one', portNumber, 8190)
    .option('--host <address>', 'the address to listen on; 0.0.0.0 for all of this machine', address, '127.0.0.1')
    .option('--pull-through', 'download what is missing, once for all clients')
    .option('--token <token>', 'what clients have to send; they then get private models, too (MODEL_CACHE_SERVE_TOKEN)')
    .action((options) => perform(async () => (await import('./serve.ts')).serve(merged(options))))
  command('stats', 'show the last runs of this project, and the size of the cache', 'stats --runs 20')
    .option('--runs <number>', RUNS_BACK, wholeNumber, 10)
    .option('--all', ALL_PROJECTS)
    .action((options) => perform(async () => (await import('./stats.ts')).stats(merged(options))))
  command('report', 'show the report of the last run again; exit code 1 if there is none', 'report --html report.html')
    .option('--markdown', 'as Markdown')
    .option('--html <file>', 'write a page with this run and the runs before it')
    .option('--all', ALL_PROJECTS)
    .action((options) => perform(async () => (await import('./report.ts')).report(merged(options))))
  command('explain [code]', 'explain an error code, or list all codes', 'explain GATED').action((code) =>
    perform(async () => (await import('./explain.ts')).explain(code, program.opts())),
  )
  return program
}
