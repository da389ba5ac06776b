import { loadConclusion } from '../run/end/finish-run.ts'
import { GLOBAL_TEARDOWN } from './own-files.ts'
import { endProjects } from './run/end-run.ts'
import { finish } from './run/finish.ts'
import { currentRun, testsBegan } from './run/session.ts'
import type { GlobalConfig, ProjectConfig, TestFileResult } from './types.ts'

/**
 * Collects the results of test files. The report is made from them in the global teardown: Jest calls reporters before it prints its
 * summary, and the command line can replace them.
 */
export default class ModelCacheReporter {
  constructor(readonly globalConfig: GlobalConfig) {}

  /** Now tests run, and this process waits for them. */
  onRunStart(): void {
    if (currentRun()?.session.isWarmed) loadConclusion()
  }

  onTestFileStart({ context }: { context: { config: ProjectConfig } }): void {
    const session = currentRun()?.session
    if (session) testsBegan(session, context.config.id)
  }

  onTestFileResult({ context }: { context: { config: ProjectConfig } }, result: TestFileResult): void {
    currentRun()?.results.push({ project: context.config, result })
  }

  async onRunComplete(_: unknown, { numFailedTests }: { numFailedTests: number }): Promise<void> {
    const run = currentRun()
    if (!run) return
    const { bail, watch, watchAll } = this.globalConfig
    // With `--bail`, Jest 29 ends this process without a teardown.
    const isBailed = bail > 0 && numFailedTests >= bail && !watch && !watchAll
    const configs = [this.globalConfig, ...run.results.map(({ project }) => project)]
    if (!isBailed && configs.some(({ globalTeardown }) => globalTeardown === GLOBAL_TEARDOWN)) return
    await finish(run, this.globalConfig)
    if (isBailed) await endProjects(run)
  }
}
