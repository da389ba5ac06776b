import { join } from 'node:path'
import process from 'node:process'
import { execa } from 'execa'
import { Workshop } from '../support/matrix/lanes.ts'
import { openLane } from '../support/matrix/ways.ts'

/**
 * Runs this command again without `--node` and `--vitest`, and has its projects use that Node.js and that Vitest. `node` is a path, or a
 * version that npm installs. Returns the exit code.
 */
export async function elsewhere(node: string | undefined, vitest: string | undefined): Promise<number> {
  const workshop = await Workshop.open()
  try {
    const lane = vitest === undefined ? undefined : await openLane(workshop, vitest)
    const wanted = node === undefined || node.includes('/') ? node : await workshop.installNode(node)
    const env = {
      CONSUMER_NODE: wanted ?? lane?.node,
      CONSUMER_MODULES: lane && join(lane.directory, 'node_modules'),
    }
    console.log(`Node.js ${wanted ?? lane?.versions.node}, ${lane?.versions.runner ?? 'Vitest of the repository'}`)
    const { exitCode } = await execa(
      process.execPath,
      [...process.execArgv, ...withoutOptions(process.argv.slice(1))],
      {
        ...{ env, stdio: 'inherit', reject: false },
      },
    )
    return exitCode ?? 1
  } finally {
    await workshop.remove()
  }
}

/** The arguments without `--node`, `--vitest` and their values. */
function withoutOptions(args: string[]): string[] {
  const isOption = (text = '') => /^--(node|vitest)$/.test(text)
  return args.filter((text, index) => !isOption(text) && !isOption(args[index - 1]) && !/^--(node|vitest)=/.test(text))
}
