import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type ModelCacheOptions, resolveOptions } from '../config/options.ts'
import { messageOf } from '../model/errors.ts'
import { endProject } from '../run/end/end-project.ts'
import { finishRun, loadConclusion } from '../run/end/finish-run.ts'
import { type Output, outputTo } from '../run/output.ts'
import { newSession } from '../run/session.ts'
import { addProject } from '../run/start/add-project.ts'
import { handOver } from '../run/start/hand-over.ts'
import { serveChildren } from '../run/start/serve-children.ts'
import { warmUp } from '../run/start/warm-up.ts'
import { openWorker } from '../run/worker/worker.ts'

/** Warms the cache for the tests in the current folder. Returns the function that ends the run. */
export async function startRun(options: ModelCacheOptions): Promise<() => Promise<void>> {
  const root = process.cwd()
  const resolved = resolveOptions(options, process.env, root)
  const session = newSession(stderrOutput(), process.execArgv.includes('--watch'))
  session.hasReporter = true
  const project = addProject(session, root, { root, options: resolved })
  const manifest = await warmUp(session, project)
  await serveChildren(session, project)
  // Each test file has a process. It gets the settings as a child process of this one. With `--test-isolation=none`, and for one file
  // without `--test`, the tests run in this process.
  const worker = openWorker(handOver(session, project, { manifest, filesAtOnce: filesAtOnce() }), globalThis)
  await worker.ready
  worker.begin('')
  if (session.isWarmed) loadConclusion()
  return async () => {
    const allPassed = !process.exitCode
    const path = isRunner() ? join(root, 'node --test') : (process.argv[1] ?? root)
    const file = { project, path, report: worker.end(), hasPassed: () => allPassed, errors: () => [] }
    const run = finishRun(session, { files: [file], allPassed, number: 1, isPartial })
    // A report that fails must not fail the suite.
    await run.catch((error) => session.output.note(`The report could not be made: ${messageOf(error)}`))
    session.stopUpload()
    await endProject(project)
  }
}

/** Not to stdout: there the reporters of `node --test` write. */
function stderrOutput(): Output {
  const print = (text: string) => void process.stderr.write(`${text}\n`)
  return outputTo({ stream: process.stderr, print, printError: print })
}

/** False if node runs one test file without `--test`. */
function isRunner(): boolean {
  return process.execArgv.includes('--test')
}

/** At most. The default is that of `--test-concurrency`. */
function filesAtOnce(): number {
  const given = process.execArgv.find((option) => option.startsWith('--test-concurrency='))?.split('=')[1]
  return Math.max(1, Number(given) || availableParallelism() - 1)
}

/** True if options or patterns of the command line may leave out some of the tests. */
function isPartial(): boolean {
  const filters = /^--test-(only$|(name-pattern|skip-pattern|shard|rerun-failures)(=|$))/
  return process.argv.length > 1 || process.execArgv.some((option) => filters.test(option))
}
