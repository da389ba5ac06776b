import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { inject, onTestFinished } from 'vitest'
import type { Report } from '../../src/report/report.ts'

const REPOSITORY_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))

export interface RunResult {
  exitCode: number
  stdout: string
  stderr: string
  /** Both, for messages of failed expectations. */
  output: string
  /** What the run wrote to `report.json`; undefined when it wrote none. */
  report: Report | undefined
}

export interface ConsumerOptions {
  /** Files of the project, by path. */
  files: Record<string, string>
  /** Copied into the project first: an example. */
  template?: string
}

/** A user's project in a temporary folder whose name holds a space, with the packed package installed. */
export class Consumer {
  private constructor(
    readonly directory: string,
    /** A cache folder of its own. */
    readonly cacheDir: string,
  ) {}

  /** Removed when the test ends. */
  static async create({ files, template }: ConsumerOptions): Promise<Consumer> {
    const parent = await mkdtemp(join(tmpdir(), 'consumer project '))
    onTestFinished(() => rm(parent, { recursive: true, force: true }))
    const consumer = new Consumer(join(parent, 'app'), join(parent, 'cache'))
    await mkdir(consumer.directory)
    if (template) await cp(template, consumer.directory, { recursive: true })
    await consumer.write({ 'package.json': '{ "type": "module", "private": true }', ...files })
    await installPackage(consumer.directory)
    return consumer
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.directory, path)), { recursive: true })
      await writeFile(join(this.directory, path), content)
    }
  }

  /** Runs Vitest in the project, as `npx vitest run` would. */
  async vitest(args: string[] = [], env: Record<string, string | undefined> = {}): Promise<RunResult> {
    const reportFile = join(this.directory, 'report.json')
    await rm(reportFile, { force: true })
    const cli = join(REPOSITORY_MODULES, 'vitest', 'vitest.mjs')
    const result = await this.run(process.execPath, [cli, 'run', ...args], env)
    const report = await readFile(reportFile, 'utf8').catch(() => undefined)
    return { ...result, report: report === undefined ? undefined : JSON.parse(report) }
  }

  /** Runs the package's own command line. */
  async cli(args: string[], env: Record<string, string | undefined> = {}): Promise<Omit<RunResult, 'report'>> {
    const bin = join(this.directory, 'node_modules', 'vitest-model-cache', 'dist', 'cli', 'main.js')
    return this.run(process.execPath, [bin, ...args], env)
  }

  /** Runs a shell command in the folder that holds both the project and its cache. */
  async shell(command: string): Promise<Omit<RunResult, 'report'>> {
    return this.run('sh', ['-c', `cd .. && ${command}`], {})
  }

  private async run(command: string, args: string[], env: Record<string, string | undefined>) {
    const { exitCode, stdout, stderr } = await execa(command, args, {
      cwd: this.directory,
      env: { ...cleanEnvironment(), MODEL_CACHE_DIR: this.cacheDir, NO_COLOR: '1', ...env },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
      timeout: 120_000,
    })
    return { exitCode: exitCode ?? -1, stdout, stderr, output: `${stdout}\n${stderr}` }
  }
}

/** This process's environment without what Vitest and the machine's owner put there. */
function cleanEnvironment(): Record<string, string | undefined> {
  const ours = /^(VITEST|MODEL_CACHE_|HF_|CI$|GITHUB_|NODE_ENV$|NODE_OPTIONS$|FORCE_COLOR$|TEST$|DEV$|PROD$|MODE$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** The repository's own modules, linked, and the package as a real folder, so that Node.js finds both from it. */
async function installPackage(directory: string): Promise<void> {
  const modules = join(directory, 'node_modules')
  await mkdir(modules)
  for (const name of await readdir(REPOSITORY_MODULES)) {
    if (name.startsWith('.') || name === 'vitest-model-cache') continue
    await symlink(join(REPOSITORY_MODULES, name), join(modules, name))
  }
  await cp(inject('packedPackage'), join(modules, 'vitest-model-cache'), { recursive: true })
}
