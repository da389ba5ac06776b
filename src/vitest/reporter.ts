import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { messageOf } from '../model/errors.ts'
import { isoNow } from '../platform/originals.ts'
import { openSession, type Session } from '../run/session.ts'
import { writeFileReport } from './channel.ts'
import { finishRun } from './finish-run.ts'

/** Prints hits, misses and times after Vitest's own summary, and keeps the run's record. */
export default class ModelCacheReporter implements Reporter {
  #session: Session | undefined
  #runs = 0

  onInit(vitest: Vitest): void {
    this.#session = openSession(vitest)
    this.#session.hasReporter = true
  }

  onTestRunStart(): void {
    if (!this.#session) return
    this.#session.isRunning = true
    // The first run began with its warm-up.
    if (this.#runs > 0) this.#session.startedAt = isoNow()
  }

  /** The tests begin, and this process waits for them: what it does when they are over is loaded meanwhile. */
  onTestModuleCollected(): void {
    if (this.#session?.isWarmed) void import('../run/conclude-run.ts').catch(() => undefined)
  }

  /** Workers hand their requests over themselves; those of a browser the main process has counted. */
  onTestModuleEnd(module: TestModule): void {
    const report = this.#session?.projects.get(module.project)?.browser?.drain(module.moduleId)
    if (report && report.requests.length + report.errors.length > 0) writeFileReport(module.meta(), report)
  }

  async onTestRunEnd(modules: ReadonlyArray<TestModule>): Promise<void> {
    if (!this.#session) return
    this.#runs++
    try {
      await finishRun(this.#session, modules, this.#runs)
    } catch (error) {
      // A report that fails must not fail the suite.
      this.#session.output.note(`The report could not be made: ${messageOf(error)}`)
    }
  }
}
