// Scans a project three times, and prints the processor times: the first time, again, and with two changed files.
import { appendFileSync } from 'node:fs'
import { ModelCache } from '../../src/cache/index.ts'
import { resolveOptions } from '../../src/config/options.ts'
import { readSources } from '../../src/run/start/read-sources.ts'

const [root = '', tests = ''] = process.argv.slice(2)
const files = Array.from({ length: Number(tests) }, (_, index) => `t${index}.test.ts`)
const options = resolveOptions({ cacheDir: `cache-${process.pid}` }, {}, root)
const cache = new ModelCache(options)

async function scan(): Promise<number> {
  const before = process.cpuUsage()
  const named = await readSources({ root, options, cache }, { files }, 1_000_000)
  const { user, system } = process.cpuUsage(before)
  if (files.some((file) => named?.get(file)?.models.length !== 1)) throw new Error('The scan found too little.')
  return (user + system) / 1000
}

const first = await scan()
const again = await scan()
for (const file of ['t7.test.ts', 'src/s9.ts']) appendFileSync(`${root}/${file}`, '// changed\n')
console.log(JSON.stringify({ first, again, changed: await scan() }))
