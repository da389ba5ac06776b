import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { Options } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import { count } from '../report/words.ts'
import { writeEdit } from './config/check-edit.ts'
import { readVitestConfig } from './config/read-vitest.ts'
import { checkVitest, findInstalled } from './doctor/project.ts'
import { configStep } from './init/config-step.ts'
import { gitignoreStep } from './init/gitignore-step.ts'
import { installCommand } from './init/install-command.ts'
import type { Step } from './init/step.ts'
import { tsconfigStep } from './init/tsconfig-step.ts'
import { workflowStep } from './init/workflow-step.ts'
import type { GlobalOptions } from './open-cache.ts'
import { type Confirmation, confirm } from './show/confirm.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { paint } from './show/style.ts'

export interface InitOptions extends GlobalOptions, Confirmation {
  /** Also writes a workflow. */
  github?: boolean
}

/** Sets a project up. Everything that is to be written is shown first. 1 where the user refuses, or has to edit the Vitest config. */
export async function init(options: InitOptions): Promise<number> {
  const folder = process.cwd()
  refuseWithoutVitest(folder)
  const steps = await planSteps(folder, options)
  const writes = steps.flatMap((step) => (step.kind === 'write' ? [step] : []))
  if (!options.json) for (const step of steps) show(step)
  if (writes.length > 0 && !options.dryRun) {
    if (!(await confirm(`Write ${count(writes.length, 'file')}?`, options))) return 1
    for (const { path, before, after } of writes) await write(join(folder, path), before, after)
  }
  if (options.json) printJson({ dryRun: options.dryRun ?? false, steps: steps.map(stepJson) })
  else printLines(ending(writes.length, options.dryRun === true))
  return steps[0]?.kind === 'paste' ? 1 : 0
}

function refuseWithoutVitest(folder: string): void {
  const missing = ['vitest', 'vitest-model-cache'].filter((name) => !findInstalled(name, folder))
  const vitest = checkVitest(folder)
  if (missing.length === 0 && vitest.level === 'ok') return
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Project ${folder}`,
    reason: missing.length > 0 ? `It lacks ${missing.join(' and ')}.` : `Vitest ${vitest.text}.`,
    nextStep:
      missing.length > 0
        ? `Run \`${installCommand(folder, missing)}\`, then \`npx vitest-model-cache init\` again.`
        : (vitest.next ?? ''),
  })
}

async function planSteps(folder: string, { github }: InitOptions): Promise<Step[]> {
  const config = await readVitestConfig()
  const inConfig = await configStep(folder, config)
  const types = await tsconfigStep(folder, inConfig.path)
  const ignored = gitignoreStep(folder, chosenFolder(config.options))
  const workflow = github ? workflowStep(folder, (config.options?.models.length ?? 0) > 0) : undefined
  return [inConfig, types, ignored, workflow].flatMap((step) => step ?? [])
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

function ending(files: number, isDryRun: boolean): string {
  if (files === 0) return 'There is nothing to write.'
  if (isDryRun) return `Would write ${count(files, 'file')}.`
  const lock = 'Then pin the models that it used: `npx vitest-model-cache lock`.'
  return `Wrote ${count(files, 'file')}. Next: \`npx vitest run\`. ${lock}`
}

function stepJson(step: Step): object {
  if (step.kind === 'write') return { path: step.path, action: 'write', content: step.after }
  if (step.kind === 'paste') return { path: step.path, action: 'paste', why: step.why, lines: step.lines }
  return { path: step.path, action: 'none' }
}
