import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { findJest } from '../config/jest/find-jest.ts'
import type { Options } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import { count } from '../report/words.ts'
import { writeEdit } from './config/check-edit.ts'
import { chooseRunner, type Runner, type RunnerFlag } from './config/choose-runner.ts'
import { readJestConfig } from './config/read-jest.ts'
import { readVitestConfig } from './config/read-vitest.ts'
import { checkJest } from './doctor/jest.ts'
import { checkVitest, findInstalled } from './doctor/project.ts'
import { configStep } from './init/config-step.ts'
import { gitignoreStep } from './init/gitignore-step.ts'
import { installCommand } from './init/install-command.ts'
import { jestConfigStep } from './init/jest-config-step.ts'
import type { Step } from './init/step.ts'
import { tsconfigStep } from './init/tsconfig-step.ts'
import { COMMANDS, workflowStep } from './init/workflow-step.ts'
import type { GlobalOptions } from './open-cache.ts'
import { type Confirmation, confirm } from './show/confirm.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { paint } from './show/style.ts'

export interface InitOptions extends GlobalOptions, Confirmation, RunnerFlag {
  /** Also writes a workflow. */
  github?: boolean
}

/** Sets a project up. Everything that is to be written is shown first. 1 where the user refuses, or has to edit the config. */
export async function init(options: InitOptions): Promise<number> {
  const folder = process.cwd()
  const runner = chooseRunner(folder, options)
  refuseWithout(runner, folder)
  const steps = await planSteps(folder, runner, options)
  const writes = steps.flatMap((step) => (step.kind === 'write' ? [step] : []))
  if (!options.json) for (const step of steps) show(step)
  if (writes.length > 0 && !options.dryRun) {
    if (!(await confirm(`Write ${count(writes.length, 'file')}?`, options))) return 1
    for (const { path, before, after } of writes) await write(join(folder, path), before, after)
  }
  if (options.json) printJson({ dryRun: options.dryRun ?? false, steps: steps.map(stepJson) })
  else printLines(ending(runner, writes.length, options.dryRun === true))
  return steps[0]?.kind === 'paste' ? 1 : 0
}

function refuseWithout(runner: Runner, folder: string): void {
  const installed = runner === 'jest' ? findJest(folder) : findInstalled('vitest', folder)
  const missing = [
    installed ? [] : runner,
    findInstalled('vitest-model-cache', folder) ? [] : 'vitest-model-cache',
  ].flat()
  const version = installed && (runner === 'jest' ? checkJest(installed) : checkVitest(installed))
  if (missing.length === 0 && version?.level === 'ok') return
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Project ${folder}`,
    reason: missing.length > 0 ? `It lacks ${missing.join(' and ')}.` : `${version?.name} ${version?.text}.`,
    nextStep:
      missing.length > 0
        ? `Run \`${installCommand(folder, missing)}\`, then \`npx vitest-model-cache init\` again.`
        : (version?.next ?? ''),
  })
}

async function planSteps(folder: string, runner: Runner, { github }: InitOptions): Promise<Step[]> {
  const { step: inConfig, options } = await (runner === 'jest' ? jestStep(folder) : vitestStep(folder))
  const types = await tsconfigStep(folder, runner, inConfig.path)
  const ignored = gitignoreStep(folder, chosenFolder(options[0]))
  const workflow = github
    ? workflowStep(
        folder,
        runner,
        options.some(({ models }) => models.length > 0),
      )
    : undefined
  return [inConfig, types, ignored, workflow].flatMap((step) => step ?? [])
}

/** The step that edits the config, and the options that the config has now. */
interface ConfigStep {
  step: Step
  options: Options[]
}

async function vitestStep(folder: string): Promise<ConfigStep> {
  const config = await readVitestConfig()
  return { step: await configStep(folder, config), options: [config.options ?? []].flat() }
}

async function jestStep(folder: string): Promise<ConfigStep> {
  const config = await readJestConfig()
  return { step: await jestConfigStep(folder, config), options: config?.options ?? [] }
}

/** The cache folder that the config names. MODEL_CACHE_DIR may differ between machines, so its folder is not ignored. */
function chosenFolder(options: Options | undefined): string | undefined {
  return process.env.MODEL_CACHE_DIR ? undefined : options?.cacheDir
}

async function write(path: string, before: string | undefined, after: string): Promise<void> {
  if (before !== undefined) return writeEdit({ path, before, after })
  await mkdir(dirname(path), { recursive: true })
  // `wx`: a file that was created in the meantime is not replaced.
  await writeFile(path, after, { flag: 'wx' })
}

function show(step: Step): void {
  const name = paint('bold', step.path)
  if (step.kind === 'paste') printLines(`${name}: left as it is. ${step.why} Paste:`)
  else printLines(`${name}: ${step.what}`)
  for (const line of linesOf(step)) printLines(`  ${line}`)
}

function linesOf(step: Step): string[] {
  if (step.kind === 'done') return []
  if (step.kind === 'paste') return step.lines
  const known = step.before?.split(/\r?\n/) ?? []
  const added = step.after.split(/\r?\n/).filter((line) => line.trim() !== '' && !known.includes(line))
  return added.map((line) => paint('green', `+ ${line}`))
}

function ending(runner: Runner, files: number, isDryRun: boolean): string {
  if (files === 0) return 'There is nothing to write.'
  if (isDryRun) return `Would write ${count(files, 'file')}.`
  const lock = 'Then pin the models that it used: `npx vitest-model-cache lock`.'
  return `Wrote ${count(files, 'file')}. Next: \`npx ${COMMANDS[runner]}\`. ${lock}`
}

function stepJson(step: Step): object {
  if (step.kind === 'write') return { path: step.path, action: 'write', content: step.after }
  if (step.kind === 'paste') return { path: step.path, action: 'paste', why: step.why, lines: step.lines }
  return { path: step.path, action: 'none' }
}
