// `npm run bench`: the figures of the package, each beside what it is to reach.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ownTime } from './own-time.ts'
import type { Bench, Row } from './row.ts'
import { table } from './table.ts'
import { warmPipeline } from './warm-pipeline.ts'

const BENCHES: Record<string, Bench> = { 'own-time': ownTime, 'warm-pipeline': warmPipeline }

const USAGE = `Usage: npm run bench [-- names and options]

  ${Object.keys(BENCHES).join(', ')}: what is measured (default: all)
  --quick    fewer rounds, smaller models
  --help     show this`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, help: { type: 'boolean' } },
})

if (options.help) console.log(USAGE)
else process.exitCode = await main(positionals.length > 0 ? positionals : Object.keys(BENCHES))

/** Gives the exit code. */
async function main(names: string[]): Promise<number> {
  const unknown = names.find((name) => !(name in BENCHES))
  if (unknown !== undefined) {
    console.error(`There is no bench "${unknown}".\n\n${USAGE}`)
    return 2
  }
  const context = {
    packageDirectory: fileURLToPath(new URL('../..', import.meta.url)),
    isQuick: options.quick ?? false,
  }
  const rows: Row[] = []
  for (const name of names) rows.push(...((await BENCHES[name]?.(context)) ?? []))
  console.log(table(rows))
  return 0
}
