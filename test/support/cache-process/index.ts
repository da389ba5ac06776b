import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { inject } from 'vitest'
import { kill } from '../kill.ts'
import type { Instant } from './steps.ts'
import type { ProcessOptions, Task, Turn } from './task.ts'

export type { Instant } from './steps.ts'
export type { Given, ProcessOptions, Turn } from './task.ts'

/** A separate process over a cache folder, which runs tasks on request. */
export class CacheProcess {
  /** The results of its turns so far. */
  readonly turns: Turn[] = []
  private finish: () => void = () => undefined
  private readonly closed: Promise<unknown>
  private stoppedBefore: (change: string) => void = () => undefined
  private turn: Promise<void> = Promise.resolve()

  private constructor(private readonly child: ChildProcess) {
    this.closed = once(child, 'close')
    if (!child.stdout) throw new Error('The process has no output')
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'done' || line === 'ready') this.finish()
      else if (line.startsWith('stopped ')) this.stoppedBefore(line)
      else this.turns.push(JSON.parse(line))
    })
    void this.closed.then(() => this.finish())
  }

  static async start(options: ProcessOptions, environment: NodeJS.ProcessEnv = {}): Promise<CacheProcess> {
    const args = [inject('cacheProcess'), JSON.stringify(options)]
    const env = { ...process.env, ...environment }
    const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    // Writing to a killed process fails; that is no error of the test.
    child.stdin.on('error', () => undefined)
    const started = new CacheProcess(child)
    await started.finished()
    if (child.exitCode !== null) throw new Error('The process did not start')
    return started
  }

  /** Runs all turns of a task, and returns the result of the last one. */
  async do(verb: Task['verb'], models: string[], turns?: number): Promise<Turn> {
    await this.begin(verb, models, turns)
    return this.turns.at(-1) ?? { given: [], errors: ['The process has ended'] }
  }

  /** Starts a task. Settles when the last turn is done or the process has ended; with `dieAt`, the process kills itself. */
  begin(verb: Task['verb'], models: string[], turns?: number, dieAt?: Instant): Promise<void> {
    const finished = this.finished()
    this.child.stdin?.write(`${JSON.stringify({ verb, models, turns, dieAt } satisfies Task)}\n`)
    return finished
  }

  /**
   * Starts a turn that stops right before its n-th change of the disk. Returns the description of that change; undefined if the
   * turn has fewer changes, and is done. `goOn` continues the turn, and settles when it is done.
   */
  async beginAndStop(verb: Task['verb'], models: string[], stopAt: number): Promise<string | undefined> {
    const stopped = new Promise<string>((resolve) => {
      this.stoppedBefore = resolve
    })
    this.turn = this.begin(verb, models, 1, { step: stopAt, when: 'stopped' })
    const change = await Promise.race([stopped, this.turn])
    // The process prints the line right before it stops, so it may still be running.
    while (change !== undefined && !(await this.isStopped())) await setImmediate()
    return change ?? undefined
  }

  async goOn(): Promise<Turn> {
    this.child.kill('SIGCONT')
    await this.turn
    return this.turns.at(-1) ?? { given: [], errors: ['The process has ended'] }
  }

  private async isStopped(): Promise<boolean> {
    const stat = await readFile(`/proc/${this.child.pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')')).startsWith(') T')
  }

  /** Ends the task after the present turn. */
  stop(): void {
    this.child.stdin?.write('stop\n')
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Kills the process. Afterwards `turns` has all results that it printed. */
  async kill(): Promise<void> {
    if (!this.isGone) await kill(this.child)
    await this.closed
  }

  private finished(): Promise<void> {
    return new Promise((resolve) => {
      this.finish = resolve
    })
  }
}
