// `npm run bench` measures the package, and compares it with its peers and with its targets.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { coldDownload } from './cold-download.ts'
import { coldWorkers } from './cold-workers.ts'
import { commandLine } from './command-line.ts'
import { elsewhere } from './elsewhere.ts'
import { growth } from './growth.ts'
import { idle } from './idle.ts'
import { jest } from './jest.ts'
import { load } from './load.ts'
import { ownTime } from './own-time.ts'
import { packs } from './packs.ts'
import { plotGrowth } from './plot.ts'
import { predict } from './predict.ts'
import { prefetch } from './prefetch.ts'
import { remote } from './remote.ts'
import { comparison, type Results, readResults, resultsOf, writeResults } from './results.ts'
import { revisions } from './revisions.ts'
import type { Bench, Growth, Row } from './row.ts'
import { growthTable, table } from './table.ts'
import { verify } from './verify.ts'
import { warmLookup } from './warm-lookup.ts'
import { warmPipeline } from './warm-pipeline.ts'
import { wholeRun } from './whole-run.ts'

const BENCHES: Record<string, Bench> = {
  'warm-lookup': warmLookup,
  'warm-pipeline': warmPipeline,
  'cold-workers': coldWorkers,
  'cold-download': coldDownload,
  remote,
  packs,
  revisions,
  verify,
  'command-line': commandLine,
  'own-time': ownTime,
  predict,
  prefetch,
  idle,
  load,
  'whole-run': wholeRun,
  jest,
  growth,
}

const USAGE = `Usage: npm run bench [-- names and options]

  Names: ${Object.keys(BENCHES).join(', ')} (default: all)
  --quick         fewer rounds, smaller models
  --only PARTS    only these parts: of whole-run a,b,c,d,e; of load 90,435,memory,inferences
                  of prefetch MB,MB/s: the size of the model, and the rate of the Hub; of packs
                  500,1500,fp16,int8,two,processes
  --node NODE     runs the projects with this Node.js: a path, or a version that npm installs
  --vitest 5      runs the projects with Vitest 5, and Node.js 24 if there is no --node
  --output FILE   writes the results as JSON
  --against FILE  compares with results that --output wrote
  --from FILE     reads results that --output wrote, and measures nothing
  --plot FILE     draws the growth of costs as SVG
  --help          shows this help`

process.exitCode = await main()

/** Returns the exit code: 2 for wrong arguments. A missed target is not a failure, because machines differ. */
async function main(): Promise<number> {
  const asked = read()
  if (typeof asked === 'string') {
    console.error(`${asked}\n\n${USAGE}`)
    return 2
  }
  const { names, options } = asked
  if (options.help) {
    console.log(USAGE)
    return 0
  }
  if (options.node !== undefined || options.vitest !== undefined) return elsewhere(options.node, options.vitest)
  let [before, measured]: (Results | undefined)[] = []
  try {
    before = options.against === undefined ? undefined : await readResults(options.against)
    measured = options.from === undefined ? undefined : await readResults(options.from)
  } catch (error) {
    console.error(String(error))
    return 2
  }
  const now = measured ?? (await measure(names, options.quick ?? false, options.only?.split(',')))
  if (options.output !== undefined) await writeResults(options.output, now)
  if (options.plot !== undefined) await plotGrowth(options.plot, now.growth)
  if (before) console.log(`\n${comparison(before, now)}`)
  return 0
}

/** The parsed arguments, or an error message. */
function read() {
  try {
    const { values: options, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string' },
        node: { type: 'string' },
        vitest: { type: 'string' },
        output: { type: 'string' },
        against: { type: 'string' },
        from: { type: 'string' },
        plot: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
    const unknown = positionals.find((name) => !Object.hasOwn(BENCHES, name))
    if (unknown !== undefined) return `There is no bench "${unknown}".`
    return { options, names: positionals.length > 0 ? positionals : Object.keys(BENCHES) }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function measure(names: string[], isQuick: boolean, only?: string[]): Promise<Results> {
  const packageDirectory = fileURLToPath(new URL('../..', import.meta.url))
  const rows: Row[] = []
  const growth: Growth[] = []
  const begun = performance.now()
  console.log('A ratio is the median over pairs of alternate rounds (A B B A), with the smallest and the largest pair.')
  for (const name of names) {
    const started = performance.now()
    const found = await BENCHES[name]?.({ packageDirectory, isQuick, only })
    const seconds = (performance.now() - started) / 1000
    console.log(`\n## ${name} (measured in ${seconds.toFixed(0)} s)\n`)
    if (!found) continue
    if (found.rows.length > 0) console.log(table(found.rows))
    if (found.growth) console.log(`\n${growthTable(found.growth)}`)
    for (const note of found.notes ?? []) console.log(`\n${note}`)
    rows.push(...found.rows)
    growth.push(...(found.growth ?? []))
  }
  console.log(`\nMeasured in ${((performance.now() - begun) / 1000).toFixed(0)} s.`)
  return resultsOf({ isQuick, rows, growth })
}
