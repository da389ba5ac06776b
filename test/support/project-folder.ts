import { type ChildProcess, spawn } from 'node:child_process'
import { on } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { execa } from 'execa'
import type { Report } from '../../src/report/report.ts'
import { installPackage, type Place } from './install-package.ts'
import { type JestResults, jestResultsOf } from './jest/results.ts'
import { removeFolder } from './remove-folder.ts'

// `npm run matrix -- --tests` sets another Node.js.
const NODE = process.env.CONSUMER_NODE ?? process.execPath

export interface ProjectOptions {
  /** The folder of the built package: the repository, or an unpacked tarball. */
  packageDirectory: string
  /** How a file of the package gets into the project. Default: it is copied. */
  place?: Place
  /** A folder that is copied into the project first, such as an example. */
  template?: string
  /** Files of the project, by path. */
  files?: Record<string, string>
  /** Installs all packages in the folder above the project, which has no package.json. */
  installsAbove?: boolean
  /** The report file that the project's config sets. Default `report.json`. */
  reportFile?: string
}

export interface RunOptions {
  /** Prints the output to this process's output instead of keeping it. */
  live?: boolean
  /** Ends the run when it aborts. */
  signal?: AbortSignal
}

/** Variables that are added to `cleanEnvironment()`. */
type Environment = Record<string, string | undefined>

export interface RunResult {
  exitCode: number
  stdout: string
  stderr: string
  /** stdout and stderr, for messages of failed expectations. */
  output: string
  /** The parsed report file; undefined if the run wrote none. */
  report: Report | undefined
}

export interface JestRun extends RunResult {
  /** Undefined if stdout is not JSON alone. */
  json: JestResults | undefined
}

/** A user's project in a temporary folder whose name contains a space, with the package installed. */
export class ProjectFolder {
  private constructor(
    private readonly parent: string,
    private readonly reportFile: string,
    private readonly installsAbove: boolean,
  ) {}

  static async create(options: ProjectOptions): Promise<ProjectFolder> {
    const { packageDirectory, place, template, files, reportFile = 'report.json', installsAbove = false } = options
    const parent = await mkdtemp(join(tmpdir(), 'consumer project '))
    const project = new ProjectFolder(parent, reportFile, installsAbove)
    try {
      await mkdir(project.directory)
      await mkdir(project.temporary)
      await project.write({ 'package.json': '{ "type": "module", "private": true }' })
      if (template) await cp(template, project.directory, { recursive: true, filter: isSource })
      await project.write(files ?? {})
      installPackage(packageDirectory, dirname(project.modules), place)
      return project
    } catch (error) {
      await project.remove()
      throw error
    }
  }

  get directory(): string {
    return join(this.parent, 'app')
  }

  /** The project's own cache folder. */
  get cacheDir(): string {
    return join(this.parent, 'cache')
  }

  /** The program of the package's command line. */
  get bin(): string {
    return join(this.modules, 'vitest-model-cache', 'dist', 'cli', 'main.js')
  }

  /** The program of the Node.js that runs the project. */
  get node(): string {
    return NODE
  }

  /** The environment of the project's processes. */
  get environment(): Environment {
    return { ...cleanEnvironment(), ...this.ownFolders(), NO_COLOR: '1' }
  }

  private get modules(): string {
    return join(this.installsAbove ? this.parent : this.directory, 'node_modules')
  }

  private get vitestProgram(): string {
    return join(this.modules, 'vitest', 'vitest.mjs')
  }

  private get jestProgram(): string {
    return join(this.modules, 'jest', 'bin', 'jest.js')
  }

  private get temporary(): string {
    return join(this.parent, 'temporary')
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.directory, path)), { recursive: true })
      await writeFile(join(this.directory, path), content)
    }
  }

  /** Runs Vitest in the project, as `npx vitest run` would. */
  async vitest(args: string[] = [], env: Environment = {}, options: RunOptions = {}): Promise<RunResult> {
    return this.reported([this.vitestProgram, 'run', ...args], env, options)
  }

  /** Runs Jest in the project, as `npx jest --json` would. `nodeArguments` are those of Node.js. */
  async jest(args: string[] = [], env: Environment = {}, nodeArguments: string[] = []): Promise<JestRun> {
    const result = await this.reported([...nodeArguments, this.jestProgram, '--json', ...args], env)
    return { ...result, json: jestResultsOf(result.stdout) }
  }

  /** Runs Node.js with these arguments. */
  async script(args: string[], env: Environment = {}): Promise<RunResult> {
    return this.reported(args, env)
  }

  /** Starts tests in watch mode; `finished` resolves when the next run of the tests has ended. */
  watch(env: Environment = {}, runner: 'vitest' | 'jest' = 'vitest') {
    const program = runner === 'vitest' ? [this.vitestProgram, '--watch'] : [this.jestProgram, '--watchAll']
    const watcher = execa(NODE, program, {
      cwd: this.directory,
      env: { ...this.environment, ...env },
      extendEnv: false,
      reject: false,
      stdin: 'pipe',
      all: true,
    })
    const finished = async (): Promise<Report> => {
      for await (const [chunk] of on(watcher.all, 'data'))
        if (/Waiting for file changes|Watching for/.test(chunk)) break
      return JSON.parse(await readFile(join(this.directory, this.reportFile), 'utf8'))
    }
    return { watcher, finished }
  }

  /** Runs the package's command line. */
  async cli(args: string[], env: Environment = {}): Promise<Omit<RunResult, 'report'>> {
    return this.run(NODE, [this.bin, ...args], env)
  }

  /** Starts `vitest run` or the package's command line as the leader of a process group, so that a test can interrupt it. */
  start(what: 'vitest' | 'cli', args: string[], env: Environment = {}): ChildProcess {
    const command = what === 'cli' ? [this.bin] : [this.vitestProgram, 'run']
    return spawn(NODE, [...command, ...args], {
      cwd: this.directory,
      env: { ...this.environment, ...env },
      detached: true,
      stdio: 'ignore',
    })
  }

  /** Runs a shell command in the folder that holds both the project and its cache. */
  async shell(command: string, env: Environment = {}): Promise<Omit<RunResult, 'report'>> {
    return this.run('sh', ['-c', `cd .. && ${command}`], env)
  }

  async remove(): Promise<void> {
    await removeFolder(this.parent)
  }

  private ownFolders(): Record<string, string> {
    return {
      MODEL_CACHE_DIR: this.cacheDir,
      // All of it at the end of each run, so that no run depends on its speed and no process goes on after it.
      MODEL_CACHE_MAINTENANCE: 'run',
      // The runs must not use the token or the models of the machine's owner.
      HF_HOME: join(this.parent, 'huggingface'),
      // A Vitest process that is killed leaves its temporary folder behind.
      TMPDIR: this.temporary,
      PATH: `${dirname(NODE)}${delimiter}${process.env.PATH}`,
    }
  }

  /** Runs tests by a program for Node.js, and reads the report file. */
  private async reported(args: string[], env: Environment, options: RunOptions = {}): Promise<RunResult> {
    const reportFile = join(this.directory, this.reportFile)
    await rm(reportFile, { force: true })
    const result = await this.run(NODE, args, env, options)
    const report = await readFile(reportFile, 'utf8').catch(() => undefined)
    return { ...result, report: report === undefined ? undefined : JSON.parse(report) }
  }

  private async run(command: string, args: string[], env: Environment, { live, signal }: RunOptions = {}) {
    const {
      exitCode = -1,
      stdout = '',
      stderr = '',
    } = await execa(command, args, {
      cwd: this.directory,
      env: { ...cleanEnvironment(), ...this.ownFolders(), ...(!live && { NO_COLOR: '1' }), ...env },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
      stdout: live ? 'inherit' : 'pipe',
      stderr: live ? 'inherit' : 'pipe',
      cancelSignal: signal,
      timeout: live ? 0 : 280_000,
    })
    return { exitCode, stdout, stderr, output: `${stdout}\n${stderr}` }
  }
}

/** The environment of this process without the variables of Vitest, of this package, of the Hub's clients and of CI. */
export function cleanEnvironment(): Environment {
  const ours =
    /^(VITEST|JEST_|MODEL_CACHE_|HF_|HUGGING_?FACE_|CI$|GITHUB_|NODE_ENV$|NODE_OPTIONS$|FORCE_COLOR$|TEST$|DEV$|PROD$|MODE$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** False for node_modules, which exists in an example after somebody ran it in its folder. */
function isSource(path: string): boolean {
  return basename(path) !== 'node_modules'
}
