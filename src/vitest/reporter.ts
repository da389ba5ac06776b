import { relative } from 'node:path'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { writeRun } from '../cache/store/runs.ts'
import { messageOf } from '../model/errors.ts'
import type { FileReport } from '../model/request.ts'
import { originals, sleep } from '../platform/originals.ts'
import { makeReport, type Report } from '../report/report.ts'
import { renderText } from '../report/text.ts'
import { readFileReport } from './channel.ts'
import { openSession, optionsByHand, type Session } from './session.ts'

// Maintenance is never in the way of the tests: what is not done by then, the next run does.
const MAINTAIN_WITHIN_MS = 5_000

interface ModuleReport extends FileReport {
  testFile: string
  root: string
}

/** Prints hits, misses and times after Vitest's own summary, and keeps the run's record. */
export default class ModelCacheReporter implements Reporter {
  #session: Session | undefined
  #runs = 0

  onInit(vitest: Vitest): void {
    this.#session = openSession(vitest, optionsByHand(vitest.config))
    this.#session.hasReporter = true
  }

  async onTestRunEnd(modules: ReadonlyArray<TestModule>): Promise<void> {
    const session = this.#session
    if (!session) return
    try {
      await this.#finish(session, modules.flatMap(moduleReport))
    } catch (error) {
      // A report that fails must not fail the suite.
      session.output.note(`The report could not be made: ${messageOf(error)}`)
    }
  }

  async #finish(session: Session, modules: ModuleReport[]): Promise<void> {
    const { cache, options, output, warmed, warmUpMs } = session
    const requests = modules.flatMap(({ requests }) => requests)
    const errors = modules.flatMap(({ errors }) => errors)
    session.warmed = []
    session.warmUpMs = null
    const wasUsed = requests.length > 0 || warmed.length > 0
    if (wasUsed) await cache.recordUses(requests)
    const maintenance = wasUsed ? await maintain(session) : undefined
    const { directory, size, maxSize, entries } = await cache.statistics()
    const state = { directory, size, maxSize, entries }
    const report = makeReport({ requests, errors, warmed, warmUpMs, cache: state })
    if (wasUsed) await this.#writeRecord(session, modules, report)
    if (options.report === false) return
    const { outputJson } = await import('fs-extra/esm')
    const { color, columns } = output
    const lines = renderText(report, { color, columns, target: options.report.target, ...maintenance })
    if (lines.length > 0) output.print(lines.join('\n'))
    if (options.report.outputFile) await outputJson(options.report.outputFile, report, { spaces: 2 })
  }

  /** One record for each project: its next run warms what it used. */
  async #writeRecord(session: Session, modules: ModuleReport[], report: Report): Promise<void> {
    this.#runs++
    const roots = [...new Set(modules.map(({ root }) => root))]
    for (const [index, project] of roots.entries()) {
      const own = modules.filter(({ root }) => root === project)
      await writeRun(session.cache.context.layout, {
        schemaVersion: 1,
        id: `${session.runId}-${this.#runs}-${index}`,
        startedAt: session.startedAt,
        project,
        used: usedModels(own),
        report,
      })
    }
  }
}

function moduleReport(module: TestModule): ModuleReport[] {
  const report = readFileReport(module.meta())
  const { root } = module.project.config
  return report ? [{ ...report, root, testFile: relative(root, module.moduleId) }] : []
}

/** Each model selection with the test files that asked for it. */
function usedModels(modules: ModuleReport[]) {
  const used = new Map<
    string,
    { repo: string; revision: string; commit: string; selection: string; testFiles: string[] }
  >()
  for (const { requests, testFile } of modules)
    for (const { repo, revision, commit, selection } of requests) {
      const key = `${repo}@${revision} ${selection}`
      const model = used.get(key) ?? { repo, revision, commit, selection, testFiles: [] }
      if (!model.testFiles.includes(testFile)) model.testFiles.push(testFile)
      used.set(key, model)
    }
  return [...used.values()]
}

async function maintain({ cache }: Session): Promise<{ maintenanceMs: number; removed: number }> {
  const started = originals.monotonic()
  const bound = new AbortController()
  const late = sleep(MAINTAIN_WITHIN_MS, bound.signal).catch(() => undefined)
  const removed = await Promise.race([cache.maintain(), late])
  bound.abort()
  return { maintenanceMs: originals.monotonic() - started, removed: removed?.entries.length ?? 0 }
}
