import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { removeFolder } from '../remove-folder.ts'
import type { Outcome, Workshop } from './workshop.ts'

interface Step {
  id?: string
  if?: string
  uses?: string
  run?: string
  with?: Record<string, string | boolean | number>
  env?: Record<string, string>
}

interface Job {
  needs?: string
  env?: Record<string, string>
  outputs?: Record<string, string>
  strategy?: { matrix: Record<string, (string | number)[]> }
  steps: Step[]
}

export interface Workflow {
  jobs: Record<string, Job>
}

/** What starts a workflow. */
export interface Trigger {
  ref: string
  secrets: Record<string, string>
  /** The payload of the event. */
  event?: unknown
  /** The variables that `aws-actions/configure-aws-credentials` sets. */
  credentials?: Record<string, string>
}

type Outputs = Record<string, { outputs: Record<string, string> }>
type Context = Record<string, unknown>

interface Place {
  folder: string
  env: Record<string, string>
  context: Context
  outputs: Outputs
  /** What a job does after its last step. */
  atEnd: (() => Promise<void>)[]
}

/** Steps that need no work: the files, Node.js and the linked modules are already present. */
const DONE = /^actions\/(checkout|setup-node)@/

/** Runs the part of GitHub Actions that the recipes use. A cache key is written once and found by its prefix. */
export class Actions {
  /** Keys in the order in which they were stored. */
  readonly keys: string[] = []
  /** The output of the last run. */
  output = ''

  constructor(
    private readonly workshop: Workshop,
    private readonly storage: string,
    private readonly env: Record<string, string> = {},
  ) {}

  /** Runs all jobs, one after the other, each in a fresh checkout of the folder. Throws when a step fails. */
  async run({ jobs }: Workflow, folder: string, { ref, secrets, event, credentials = {} }: Trigger) {
    this.output = ''
    const needs: Outputs = {}
    for (const [name, job] of Object.entries(jobs))
      for (const matrix of combinations(job.strategy?.matrix ?? {})) {
        const github = { workspace: folder, ref, event }
        const context = { github, runner: { os: 'Linux' }, secrets, needs, matrix, credentials }
        needs[name] = { outputs: await this.job(job, folder, context) }
      }
  }

  private async job(job: Job, folder: string, context: Context): Promise<Record<string, string>> {
    await removeFolder(join(folder, '.model-cache'))
    const outputs: Outputs = {}
    const hashFiles = await hashesOf(job, folder)
    const place: Place = {
      folder,
      env: { GITHUB_REF: evaluate('github.ref', context), ...filled(job.env ?? {}, context) },
      context: { ...context, hashFiles, steps: outputs },
      outputs,
      atEnd: [],
    }
    for (const step of job.steps) await this.step(step, place)
    for (const finish of place.atEnd) await finish()
    return filled(job.outputs ?? {}, place.context)
  }

  private async step(step: Step, place: Place): Promise<void> {
    if (step.if !== undefined && !holds(step.if, { ...place.context, env: place.env })) return
    const given = filled(step.with ?? {}, place.context)
    if (step.run !== undefined) await this.shell(step, step.run, place)
    else if (step.uses?.startsWith('actions/cache@')) await this.restoreAndSave(step, given, place)
    else if (step.uses?.startsWith('actions/cache/restore@')) await this.restore(step, given, place)
    else if (step.uses?.startsWith('actions/cache/save@')) await this.save(given, place)
    else if (step.uses?.startsWith('aws-actions/configure-aws-credentials@'))
      place.env = { ...place.env, ...Object(place.context.credentials) }
    else if (!DONE.test(step.uses ?? '')) throw new Error(`Unknown step: ${JSON.stringify(step)}`)
  }

  private async shell(step: Step, lines: string, { folder, env, context, outputs }: Place): Promise<void> {
    const files = { GITHUB_OUTPUT: join(this.storage, 'output'), GITHUB_STEP_SUMMARY: join(this.storage, 'summary.md') }
    await mkdir(this.storage, { recursive: true })
    await writeFile(files.GITHUB_OUTPUT, '')
    const given = filled({ ...this.env, ...env, ...step.env }, context)
    const ran = await this.workshop.run(fill(lines, context), folder, { CI: 'true', ...files, ...given })
    this.output += ran.output
    expectDone(lines, ran)
    const written = (await readFile(files.GITHUB_OUTPUT, 'utf8')).trim().split('\n').filter(Boolean)
    const pairs = written.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
    if (step.id) outputs[step.id] = { outputs: Object.fromEntries(pairs) }
  }

  private async restore(step: Step, given: Record<string, string>, { folder, outputs }: Place): Promise<void> {
    const prefixes = (given['restore-keys'] ?? '').split('\n').filter(Boolean)
    const found = [given.key, ...prefixes.map((prefix) => this.keys.findLast((key) => key.startsWith(prefix)))]
    const key = found.find((name) => name !== undefined && this.keys.includes(name))
    if (key === undefined && given['fail-on-cache-miss'] === 'true')
      throw new Error(`No cache has the key ${given.key}`)
    if (key !== undefined) await execa('tar', ['-xf', this.archive(key), '-C', folder])
    if (step.id) outputs[step.id] = { outputs: key === undefined ? {} : { 'cache-matched-key': key } }
  }

  /** The cache is stored at the end of the job, unless its key was found. */
  private async restoreAndSave(step: Step, given: Record<string, string>, place: Place): Promise<void> {
    if (!this.keys.includes(given.key ?? '')) place.atEnd.push(() => this.save(given, place))
    await this.restore(step, given, place)
  }

  private async save({ key = '', path = '' }: Record<string, string>, { folder }: Place): Promise<void> {
    if (this.keys.includes(key)) throw new Error(`GitHub does not store a key twice: ${key}`)
    await execa('tar', ['-cf', this.archive(key), path], { cwd: folder })
    this.keys.push(key)
  }

  private archive(key: string): string {
    return join(this.storage, `${key}.tar`)
  }
}

function expectDone(lines: string, { exitCode, output }: Outcome): void {
  if (exitCode !== 0) throw new Error(`Exit code ${exitCode}: ${lines}\n${output}`)
}

function combinations(matrix: Record<string, (string | number)[]>): Record<string, string | number>[] {
  return Object.entries(matrix).reduce<Record<string, string | number>[]>(
    (rows, [name, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  )
}

function filled(given: Record<string, unknown>, context: Context): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, fill(String(value), context)]))
}

/** The text with the values of its `${{ }}` expressions. */
function fill(text: string, context: Context): string {
  return text.replace(/\$\{\{ *(.*?) *\}\}/g, (_, expression) => evaluate(expression, context))
}

/** Evaluates a condition of the form `a == b && c != d`, of names and strings. A name alone must have a value. */
function holds(condition: string, context: Context): boolean {
  return condition.split(' && ').every((part) => {
    const [left = '', operator, right = ''] = part.split(/ (==|!=) /)
    if (operator === undefined) return !['', 'false'].includes(evaluate(left, context))
    return (evaluate(left, context) === evaluate(right, context)) === (operator === '==')
  })
}

/** The digest of each file whose name a `hashFiles('name')` of the job has. */
async function hashesOf(job: Job, folder: string): Promise<Record<string, string>> {
  const names = [...JSON.stringify(job).matchAll(/hashFiles\('([^']+)'\)/g)].map(([, name = '']) => name)
  const hashes = names.map(async (name) => {
    const content = await readFile(join(folder, name))
    return [name, createHash('sha256').update(content).digest('hex')] as const
  })
  return Object.fromEntries(await Promise.all(hashes))
}

/** The value of a name or string. An undefined name is an empty string, as on GitHub. */
function evaluate(expression: string, context: Context): string {
  const [, condition, value, otherwise] = /^(.+) && ('[^']*'|[\w.]+) \|\| ('[^']*'|[\w.]+)$/.exec(expression) ?? []
  if (condition && value && otherwise) return evaluate(holds(condition, context) ? value : otherwise, context)
  const text = /^'(.*)'$/.exec(expression)?.[1]
  if (text !== undefined) return text
  const hashed = /^hashFiles\('(.*)'\)$/.exec(expression)?.[1]
  if (hashed !== undefined) return Object(context.hashFiles)[hashed]
  const found = expression.split('.').reduce<unknown>((outer, name) => (outer as Context | undefined)?.[name], context)
  return found === undefined ? '' : String(found)
}
