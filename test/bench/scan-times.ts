// The processor time of a scan: 500 test files that name a model by a helper, and 300 source files that name none.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { build } from 'rolldown'
import { removeFolder } from '../support/remove-folder.ts'
import { sample } from './rounds.ts'
import type { Row } from './row.ts'

const TESTS = 500
const SOURCES = 300

/** Milliseconds. */
interface Times {
  first: number
  again: number
  changed: number
}

export async function scanTimes(rounds: number): Promise<Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'scan bench '))
  try {
    await writeFiles(root)
    const program = await bundled(join(root, 'program'))
    const times: Times[] = []
    for (let round = 0; round < rounds; round++) times.push(await measure(program, root))
    const row = (what: string, key: keyof Times): Row => ({
      what,
      unit: 'ms',
      value: sample(times.map((time) => time[key])),
    })
    return [
      row(`scan of ${TESTS} test files and ${SOURCES} sources: processor time, first`, 'first'),
      row('  nothing changed', 'again'),
      row('  one test file and one source changed', 'changed'),
    ]
  } finally {
    await removeFolder(root)
  }
}

/** The path of the program as one would build it: tsx adds to each closure. */
async function bundled(dir: string): Promise<string> {
  const input = fileURLToPath(new URL('scan-program.ts', import.meta.url))
  await build({ input, platform: 'node', output: { dir, entryFileNames: 'main.mjs' } })
  return join(dir, 'main.mjs')
}

/** In a process of its own, so that the parser has to be loaded. */
async function measure(program: string, root: string): Promise<Times> {
  const { stdout } = await execa(process.execPath, [program, root, String(TESTS)])
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1))
}

async function writeFiles(root: string): Promise<void> {
  await mkdir(join(root, 'src'))
  const code = 'export function add(a: number, b: number): number {\n  return a + b\n}\n'.repeat(40)
  for (let index = 0; index < SOURCES; index++) {
    const imports = [2 * index + 1, 2 * index + 2].filter((other) => other < SOURCES)
    const lines = imports.map((other) => `import * as s${other} from './s${other}.ts'\n`)
    await writeFile(join(root, `src/s${index}.ts`), lines.join('') + code)
  }
  const helper = "export const embed = (id: string) => pipeline('feature-extraction', id)\n"
  await writeFile(join(root, 'helper.ts'), helper)
  const body = '  expect(add(1, 2)).toBe(3)\n  await expect(run()).resolves.toEqual({ a: [1, 2, 3] })\n'.repeat(40)
  for (let index = 0; index < TESTS; index++)
    await writeFile(
      join(root, `t${index}.test.ts`),
      `import { embed } from './helper.ts'\nimport './src/s${index % SOURCES}.ts'\n` +
        `test('embeds', async () => {\n  await embed('org/model-${index % 6}')\n${body}})\n`,
    )
}
