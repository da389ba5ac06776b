// Scans a project three times, and prints the processor times: the first time, again, and with two changed files.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { namedModels } from '../../src/run/start/scan/named-models.ts'
import { SourceFiles } from '../../src/run/start/scan/source-files.ts'

const [root = '', tests = ''] = process.argv.slice(2)
const testFiles = Array.from({ length: Number(tests) }, (_, index) => join(root, `t${index}.test.ts`))
let kept: unknown

async function scan(): Promise<number> {
  const before = process.cpuUsage()
  const sources = new SourceFiles({ root, folders: [root], aliases: [], setupFiles: [] }, kept, Number.MAX_VALUE)
  await sources.read(testFiles)
  const named = namedModels({ testFiles, setupFiles: [], sources: sources.files, isWhole: true, bases: [] })
  if (![...named.values()].every(({ models }) => models.length === 1)) throw new Error('The scan found too little.')
  const { user, system } = process.cpuUsage(before)
  kept = JSON.parse(JSON.stringify(sources.toKeep(named) ?? kept))
  return (user + system) / 1000
}

const first = await scan()
const again = await scan()
for (const file of ['t7.test.ts', 'src/s9.ts']) appendFileSync(join(root, file), '// changed\n')
console.log(JSON.stringify({ first, again, changed: await scan() }))
