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

/** A real process over a cache folder, which does what it is told when it is told. */
export class CacheProcess {
  /** What came of its turns so far. */
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
    // What is said to one that was killed is lost.
    child.stdin.on('error', () => undefined)
    const started = new CacheProcess(child)
    await started.finished()
    if (child.exitCode !== null) throw new Error('The process did not start')
    return started
  }

  /** Does all turns of a task, and gives the last one's outcome. */
  async do(verb: Task['verb'], models: string[], turns?: number): Promise<Turn> {
    await this.begin(verb, models, turns)
    return this.turns.at(-1) ?? { given: [], errors: ['The process is gone'] }
  }

  /** Starts a task; settles when the last turn is done, or the process is gone: killed by itself, if `dieAt` says when. */
  begin(verb: Task['verb'], models: string[], turns?: number, dieAt?: Instant): Promise<void> {
    const finished = this.finished()
    this.child.stdin?.write(`${JSON.stringify({ verb, models, turns, dieAt } satisfies Task)}\n`)
    return finished
  }

  /**
   * Begins a turn that stops right before its n-th change of the disk. Gives what that change is; undefined when the turn
   * has fewer, and is done. After `goOn` the turn goes on, and that settles when it is done.
   */
  async beginAndStop(verb: Task['verb'], models: string[], stopAt: number): Promise<string | undefined> {
    const stopped = new Promise<string>((resolve) => {
      this.stoppedBefore = resolve
    })
    this.turn = this.begin(verb, models, 1, { step: stopAt, when: 'stopped' })
    const change = await Promise.race([stopped, this.turn])
    // It said so right before it stopped.
    while (change !== undefined && !(await this.isStopped())) await setImmediate()
    return change ?? undefined
  }

  async goOn(): Promise<Turn> {
    this.child.kill('SIGCONT')
    await this.turn
    return this.turns.at(-1) ?? { given: [], errors: ['The process is gone'] }
  }

  private async isStopped(): Promise<boolean> {
    const stat = await readFile(`/proc/${this.child.pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')')).startsWith(') T')
  }

  /** Lets the turn that is under way be the last. */
  stop(): void {
    this.child.stdin?.write('stop\n')
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** After it all that the process said is in `turns`. */
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
