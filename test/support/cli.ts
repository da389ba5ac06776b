import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { execa, execaSync } from 'execa'
import type { Engine } from './engine.ts'
import { cleanEnvironment } from './project-folder.ts'

// The built program, which `npx vitest-model-cache` starts for users.
const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

const NOBODY = { uid: 65_534, gid: 65_534 }

/** True where this process may become another user, who can read the program. */
export const canRunAsNobody =
  process.getuid?.() === 0 &&
  execaSync(process.execPath, [PROGRAM, '--version'], { ...NOBODY, cwd: '/', reject: false }).exitCode === 0

/** True where `script` of util-linux can give a command a terminal. */
export const hasTerminals: boolean = String(spawnSync('script', ['--version']).stdout).includes('util-linux')

export interface CliResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** Runs the command line over the cache of an engine, in a folder without a project. */
export class Cli {
  constructor(
    private readonly engine: Engine,
    private readonly env: Record<string, string> = {},
    /** Runs as the user `nobody`, who has no rights of root's. */
    private readonly asNobody = false,
  ) {}

  async run(...args: string[]): Promise<CliResult> {
    const { exitCode = -1, stdout, stderr } = await execa(process.execPath, [PROGRAM, ...args], this.options())
    return { exitCode, stdout, stderr }
  }

  /** What a terminal of 80 columns shows of a command, and the exit code. `input` is what the user types. */
  async atTerminal(input: string, ...args: string[]): Promise<{ exitCode: number; screen: string }> {
    const quoted = [process.execPath, PROGRAM, ...args].map((part) => `'${part}'`).join(' ')
    const options = { ...this.options(), stdin: 'pipe' as const, input }
    const { exitCode = -1, stdout } = await execa('script', ['-qec', `stty cols 80; ${quoted}`, '/dev/null'], options)
    return { exitCode, screen: stdout.replaceAll('\r\n', '\n') }
  }

  /** As `cli ... | head -1` in bash: the exit code of the command, and what it wrote to stderr after its reader had gone. */
  async intoClosedPipe(...args: string[]): Promise<{ exitCode: number; stderr: string }> {
    const { cwd, env } = this.options()
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const [exitCode] = await once(child, 'close')
    return { exitCode, stderr }
  }

  /** As `cli ... | cli ...` in a shell: the result of the second command. */
  async piped(first: string[], second: string[]): Promise<CliResult> {
    const [one, two] = [first, second].map((args) =>
      [process.execPath, PROGRAM, ...args].map((part) => `'${part}'`).join(' '),
    )
    const { exitCode = -1, stdout, stderr } = await execa('sh', ['-c', `${one} | ${two}`], this.options())
    return { exitCode, stdout, stderr }
  }

  /** The parsed output of a command with `--json`. Fails the test if the output is not JSON or the exit code differs. */
  async json(exitCode: number, ...args: string[]) {
    const result = await this.run(...args, '--json')
    if (result.exitCode !== exitCode)
      throw new Error(`exit code ${result.exitCode}: ${result.stdout}\n${result.stderr}`)
    return JSON.parse(result.stdout)
  }

  /** Starts a command that the test interrupts. */
  start(...args: string[]): ChildProcess {
    const { cwd, env } = this.options()
    return spawn(process.execPath, [PROGRAM, ...args], { cwd, env, stdio: ['pipe', 'ignore', 'ignore'] })
  }

  /** Starts a command that runs until the test ends it. Its output is in pipes. */
  startServer(...args: string[]): ChildProcessByStdio<null, Readable, Readable> {
    const { cwd, env } = this.options()
    return spawn(process.execPath, [PROGRAM, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  private options() {
    const { folder, cacheDir, hub } = this.engine
    const own = { MODEL_CACHE_DIR: cacheDir, HF_ENDPOINT: hub.url, HF_HOME: `${folder}/no login`, NO_COLOR: '1' }
    return {
      cwd: folder,
      env: { ...cleanEnvironment(), ...own, ...this.env },
      ...{ extendEnv: false, reject: false, stdin: 'ignore' as const, timeout: 60_000 },
      ...(this.asNobody && NOBODY),
    }
  }
}
