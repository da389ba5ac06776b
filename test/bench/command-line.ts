// The times of the commands with a cache of 1,000 models.
import { manyModels, writeCache } from '../support/many-models.ts'
import { ProjectFolder } from '../support/project-folder.ts'
import { costRows } from './cost-rows.ts'
import { PROGRAMS, runCommand, runEmpty, type Told } from './programs.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const CONFIG = `import { modelCache } from 'vitest-model-cache'\nexport default { plugins: [modelCache()] }`

const COMMANDS = ['status', 'ls', 'path org/model-0500', 'verify', 'stats', 'optimize --dry-run'] as const

export async function commandLine({ packageDirectory, isQuick }: BenchContext): Promise<Findings> {
  const project = await ProjectFolder.create({ packageDirectory, files: PROGRAMS })
  try {
    await writeCache(project.cacheDir, manyModels(1000))
    const commands = COMMANDS.map((line) => [line, () => runCommand(project, line.split(' '))] as const)
    const {
      node = [],
      status = [],
      ...others
    } = await interleave<string, Told<'ms'>>(
      { node: () => runEmpty(project), ...Object.fromEntries(commands) },
      isQuick ? 3 : 9,
    )
    // Vitest takes most of this time to read its config.
    await project.write({ 'vitest.config.mjs': CONFIG })
    const configured = await interleave({ status: () => runCommand(project, ['status']) }, isQuick ? 2 : 9)
    const beyond = status.map(({ ms }, index) => ms - (node[index]?.ms ?? Number.NaN))
    const rows: Row[] = [
      {
        what: '1,000 entries: status in its process, from its start to its end',
        unit: 'ms',
        value: sample(status.map(({ ms }) => ms)),
        atMost: 150,
      },
      { what: '  a process that does nothing, so measured', unit: 'ms', value: sample(node.map(({ ms }) => ms)) },
      { what: '  status beyond it', unit: 'ms', value: sample(beyond) },
      ...costRows('node, a program that does nothing', node),
      ...costRows('status', status),
      ...costRows('status in a project with a Vitest config', configured.status),
      ...Object.entries(others).flatMap(([name, costs]) => costRows(name, costs)),
    ]
    return { rows }
  } finally {
    await project.remove()
  }
}
