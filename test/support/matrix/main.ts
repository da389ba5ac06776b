// `npm run matrix` runs a suite in each combination of Vitest or Jest, pool, environment and more: once with an empty cache, and
// once more. It counts the requests at the Hub.
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import pLimit from 'p-limit'
import { makeEmbeddingModel } from '../model-maker/index.ts'
import { ENVIRONMENTS, POOLS } from './cells.ts'
import { COMPILED, JESTS } from './jest-cells.ts'
import { jestMatrix } from './jest-ways.ts'
import { faultsOf } from './judge.ts'
import { type Lane, Workshop } from './lanes.ts'
import { librariesMatrix } from './libraries.ts'
import { isFailure, nodesMatrix } from './nodes.ts'
import { runTwice } from './run-suite.ts'
import { type Line, lineOf, markdownOfLines, type Task } from './table.ts'
import { openLane, waysMatrix } from './ways.ts'

const USAGE = `Usage: npm run matrix [-- options]

  --lane <4|5>           Vitest 4 on the Node.js that runs this, or Vitest 5 on Node.js 24
  --pool <name>          ${POOLS.join(', ')}
  --environment <name>   ${ENVIRONMENTS.join(', ')}
  --isolate <yes|no>
  --quick                one cell for each lane and pool
  --tests                instead: the nested runs of test/vitest, or of the named files, with Vitest 5 on Node.js 24
  --transformers         instead: versions of transformers.js, and two copies of it in one tree
  --library <name>       with --transformers: only libraries whose name contains this text
  --node [version]       instead: versions of Node.js, with loaders of module.register() and tsx (--quick skips some)
  --jest [version]       instead: Jest (${JESTS.join(', ')}) and Node.js, in band, in forks and in threads
  --kind <name>          with --jest: cjs, esm, ${COMPILED.join(', ')}
  --help                 show this help`

// Each run has two workers.
const RUNS_AT_A_TIME = 2

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ lane: text, pool: text, environment: text, isolate: text, library: text, kind: text },
    ...{ quick: flag, tests: flag, transformers: flag, node: flag, jest: flag, help: flag },
  },
})

if (options.help) console.log(USAGE)
else process.exitCode = await main()

/** Returns the exit code. */
async function main(): Promise<number> {
  const started = performance.now()
  const workshop = await Workshop.open()
  try {
    if (options.tests) return await runTests(await openLane(workshop, '5'))
    const made = await makeEmbeddingModel(join(workshop.directory, 'model'), {
      size: 1_000_000,
      dtypes: ['fp32', 'q8'],
    })
    const { tasks, undelivered } = await tasksOf(workshop, made.directory)
    console.log(`${tasks.length} suites, set up in ${seconds(performance.now() - started)}`)
    const lines = await runAll(tasks)
    console.log(`\n${markdownOfLines(lines)}\n`)
    const red = lines.filter(({ faults }) => faults.length > 0)
    console.log(`${lines.length - red.length} green, ${red.length} red, in ${seconds(performance.now() - started)}`)
    for (const line of undelivered) console.log(line)
    return red.length > 0 || isFailure(undelivered, lines.length) ? 1 : 0
  } finally {
    await workshop.remove()
  }
}

async function tasksOf(workshop: Workshop, model: string): Promise<{ tasks: Task[]; undelivered: string[] }> {
  const [version] = positionals
  if (options.node) return nodesMatrix(workshop, model, { quick: options.quick, node: version })
  const isolate = options.isolate === undefined ? undefined : options.isolate !== 'no'
  const tasks = options.jest
    ? await jestMatrix(workshop, model, { ...options, jest: version })
    : options.transformers
      ? await librariesMatrix(workshop, model, options)
      : await waysMatrix(workshop, model, { ...options, isolate })
  return { tasks, undelivered: [] }
}

/** Runs the repository's tests; their nested runs use Vitest and Node.js of a lane. Returns the exit code. */
async function runTests({ directory, node }: Lane): Promise<number> {
  const files = positionals.length > 0 ? positionals : ['test/vitest']
  const { exitCode } = await execa('npx', ['vitest', 'run', ...files], {
    env: { CONSUMER_NODE: node, CONSUMER_MODULES: join(directory, 'node_modules') },
    ...{ stdio: 'inherit', reject: false },
  })
  return exitCode ?? 1
}

async function runAll(tasks: Task[]): Promise<Line[]> {
  const limit = pLimit(RUNS_AT_A_TIME)
  // Suites that share a folder for copies run one after the other.
  const turns = new Map(tasks.map(({ turn }) => [turn, pLimit(1)]))
  return Promise.all(
    tasks.map((task) => {
      const work = () => limit(() => runTask(task))
      return task.turn === undefined ? work() : (turns.get(task.turn)?.(work) ?? work())
    }),
  )
}

async function runTask(task: Task): Promise<Line> {
  const outcome = await runTwice(task.lane, task.suite)
  const line = lineOf(task, outcome, faultsOf(outcome, task.expected))
  console.log(Object.values(line.cells).join('  '))
  if (line.faults.length === 0) return line
  console.log(line.faults.map((fault) => `  ${fault}`).join('\n'))
  for (const run of [outcome.cold, outcome.warm]) if (run.exitCode !== 0) console.log(run.output)
  return line
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
