// `npm run outputs` loads models plainly and mapped, with several versions of onnxruntime-node, and compares their outputs.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { formatSize } from '../../../src/config/units.ts'
import { markdownOf } from '../faults/table.ts'
import { startHub } from '../hub/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { type Comparison, compareSource, type Outcome } from './compare.ts'
import { installRuntime, ownRuntime } from './runtimes.ts'
import { LARGE_SOURCES, SMALL_SOURCES } from './sources.ts'

/** Beside the version that this repository uses. */
const FORMER_VERSIONS = ['1.21.1', '1.24.3']

const USAGE = `Usage: npm run outputs [-- options]

  --quick            small models only, with the onnxruntime-node of this repository
  --ort <versions>   other versions of onnxruntime-node, such as 1.17.3,1.20.1 (default ${FORMER_VERSIONS.join()}; with --quick none)
  --model <text>     only models whose name contains this text
  --rounds <number>  how often each model is loaded in each way (default 3, with --quick 1)
  --help             show this help`

const { values: options } = parseArgs({
  options: {
    ...{ model: { type: 'string' }, ort: { type: 'string' }, rounds: { type: 'string' } },
    ...{ quick: { type: 'boolean' }, help: { type: 'boolean' } },
  },
})

if (options.help) console.log(USAGE)
else process.exitCode = await main()

/** Returns the exit code. */
async function main(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'outputs '))
  const hub = await startHub()
  try {
    const former = options.ort?.split(',') ?? (options.quick ? [] : FORMER_VERSIONS)
    const runtimes = [await ownRuntime(), ...(await Promise.all(former.map((it) => installRuntime(it, directory))))]
    const sources = options.quick ? SMALL_SOURCES : [...SMALL_SOURCES, ...LARGE_SOURCES]
    const rounds = Number(options.rounds ?? (options.quick ? 1 : 3))
    if (!(rounds >= 1)) throw new Error(`--rounds ${options.rounds}: a number from 1 on is wanted.`)
    const found: Comparison[] = []
    for (const source of sources.filter(({ name }) => name.includes(options.model ?? '')))
      for await (const comparison of compareSource({ hub, directory, runtimes, rounds }, source)) {
        found.push(comparison)
        console.log(cellsOf(comparison).join('  '))
      }
    const head = ['model', 'file', 'size', 'mapped', ...runtimes.map(({ version }) => `ORT ${version}`)]
    console.log(`\n${markdownOf([head, ...found.map(cellsOf)])}\n`)
    return conclude(found)
  } finally {
    await hub.close()
    await removeFolder(directory)
  }
}

/** The cells of a line: for each runtime, the first digits of the hash, and the processor time of a mapped load against a plain one. */
function cellsOf({ source, file, size, mappedBytes, reason, outcomes }: Comparison): string[] {
  const mapped = mappedBytes > 0 ? formatSize(mappedBytes) : `no: ${reason}`
  return [source, file, formatSize(size), mapped, ...outcomes.map(cellOf)]
}

function cellOf({ hash, loadRatio = Number.NaN, difference }: Outcome): string {
  if (difference !== undefined) return 'DIFFERENT'
  if (hash === undefined) return 'not supported'
  return [hash.slice(0, 8), 'same', ...(options.quick ? [] : [`${loadRatio.toFixed(2)}x`])].join(' ')
}

/** Returns the exit code. */
function conclude(found: Comparison[]): number {
  const red = found.filter(({ faults }) => faults.length > 0)
  for (const { source, file, faults } of red) console.log(`${source}, ${file}: ${faults.join('; ')}`)
  const mapped = found.filter(({ mappedBytes }) => mappedBytes > 0).length
  console.log(`${found.length} files, ${mapped} of them mapped, ${red.length} red`)
  // No mapped file is a failure too: nothing was compared.
  return red.length > 0 || mapped === 0 ? 1 : 0
}
