import type { Reporter, TestModule, TestSpecification, Vitest } from 'vitest/node'
import { stopMaintenance } from '../cache/store/locks/stop-maintenance.ts'
import { messageOf } from '../model/errors.ts'
import { isoNow } from '../platform/originals.ts'
import { measured } from '../platform/own-time.ts'
import { finishRun, loadConclusion } from '../run/end/finish-run.ts'
import type { Session } from '../run/session.ts'
import { writeFileReport } from './channel.ts'
import { finishedFile } from './finished-file.ts'
import { isPartialRun } from './is-partial-run.ts'
import { queuedFiles } from './queued-files.ts'
import { openSession } from './session.ts'

/** Prints hits, misses and times after Vitest's own summary, and keeps the run's record. */
export default class ModelCacheReporter implements Reporter {
  #vitest: Vitest | undefined
  #session: Session | undefined
  #runs = 0
  /** Lets the test files of a cancelled run begin: they wait for no model. */
  readonly #release = () => {
    for (const { prefetch } of this.#session?.projects.values() ?? []) prefetch?.release()
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
    this.#session = openSession(vitest)
    this.#session.hasReporter = true
  }

  async onTestRunStart(specifications?: ReadonlyArray<TestSpecification>): Promise<void> {
    const [vitest, session] = [this.#vitest, this.#session]
    if (!vitest || !session) return
    session.isRunning = true
    // In watch mode, an upload must not slow the tests down.
    session.stopUpload()
    session.stopMaintenance()
    for (const { cache } of session.projects.values()) stopMaintenance(cache.context.layout)
    session.testFiles = specifications?.length
    session.testNamePattern = vitest.getGlobalTestNamePattern()?.source
    // The session set the start of the first run, which begins with the warm-up.
    if (this.#runs > 0) session.startedAt = isoNow()
    session.queued = specifications && (await queuedFiles(vitest, specifications))
  }

  /** A worker is about to load the test file. Its setup files wait for models. */
  onTestModuleQueued({ project }: TestModule): void {
    const prefetch = this.#session?.projects.get(project)?.prefetch
    if (!prefetch) return
    prefetch.testsBegan()
    // Only now: a run that begins removes the listeners of the run before. A listener is kept once.
    this.#vitest?.onCancel(this.#release)
    if (Reflect.get(Object(this.#vitest), 'isCancelling') === true) this.#release()
  }

  /** Now tests begin, and this process waits for them. */
  onTestModuleCollected(): void {
    if (this.#session?.isWarmed) loadConclusion()
  }

  /** Workers write their reports themselves. For a browser the main process counted the requests. */
  onTestModuleEnd(module: TestModule): void {
    const report = this.#session?.projects.get(module.project)?.pages?.drain(module.moduleId)
    if (report && report.requests.length + report.errors.length > 0) writeFileReport(module.meta(), report)
  }

  async onTestRunEnd(modules: ReadonlyArray<TestModule>): Promise<void> {
    const [vitest, session] = [this.#vitest, this.#session]
    if (!vitest || !session) return
    this.#runs++
    try {
      const files = measured('collecting', () => modules.map((module) => finishedFile(session, module)))
      await finishRun(session, { files, number: this.#runs, isPartial: () => isPartialRun(vitest) })
    } catch (error) {
      // A report that fails must not fail the suite.
      session.output.note(`The report could not be made: ${messageOf(error)}`)
    }
  }
}
