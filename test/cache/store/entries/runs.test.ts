import { mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type RunRecord, readAllRuns, readRuns, writeRun } from '../../../../src/cache/store/entries/runs.ts'
import { Layout } from '../../../../src/cache/store/layout.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const APP = '/projects/app'
const OTHER = '/projects/other'

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runs test '))
  layout = new Layout(folder)
  await writeFile(layout.marker, '{"format":1}')
  onTestFinished(() => removeFolder(folder))
})

function runOf(number: number, project = APP): RunRecord {
  return {
    schemaVersion: 1,
    // As the session names runs: the time in base 36 comes first.
    id: `${(1_700_000_000_000 + number).toString(36)}-77-abc`,
    startedAt: '2026-01-15T10:30:00.000Z',
    project,
    used: [{ repo: 'org/name', revision: 'main', commit: 'f'.repeat(40), selection: '{}', testFiles: ['a.test.ts'] }],
  }
}

async function ids(project: string, count = 1000): Promise<string[]> {
  return (await readRuns(layout, project, count)).map(({ id }) => id)
}

describe('the last runs of a project', () => {
  test('are none before the first run', async () => {
    expect(await readRuns(layout, APP, 3)).toEqual([])
  })

  test('are read as they were written, newest first, and at most `count` of them', async () => {
    const runs = [3, 1, 5, 2, 4].map((number) => ({ ...runOf(number), report: { hits: number } }))
    for (const run of runs) await writeRun(layout, run)
    const sorted = [5, 4, 3, 2, 1].map((number) => ({ ...runOf(number), report: { hits: number } }))
    expect(await readRuns(layout, APP, 3)).toEqual(sorted.slice(0, 3))
    expect(await readRuns(layout, APP, 9)).toEqual(sorted)
    expect(await readRuns(layout, APP, 0)).toEqual([])
  })

  test('are recognized by their names, without reading the records of other projects', async () => {
    await writeRun(layout, runOf(1))
    const [own = ''] = await readdir(layout.runs)
    await writeRun(layout, runOf(2, OTHER))
    const [theirs = ''] = (await readdir(layout.runs)).filter((name) => name !== own)
    expect(own.startsWith(runOf(1).id)).toBe(true)
    expect(theirs.slice(theirs.indexOf('.'))).not.toBe(own.slice(own.indexOf('.')))
    // This record of our project has the name of a record of the other one. It would be returned if it were read.
    await writeFile(join(layout.runs, theirs), JSON.stringify(runOf(2)))
    expect(await ids(APP)).toEqual([runOf(1).id])
  })

  test('leave out a record that can not be read', async () => {
    await writeRun(layout, runOf(1))
    const [own = ''] = await readdir(layout.runs)
    // A folder in place of a record. Another user's record can't be read either.
    await mkdir(join(layout.runs, own.replace(runOf(1).id, runOf(2).id), 'inside'), { recursive: true })
    expect(await ids(APP)).toEqual([runOf(1).id])
    expect((await readAllRuns(layout, 9, () => true)).map(({ id }) => id)).toEqual([runOf(1).id])
  })

  test.each(['', '{', 'null', '[]', '{ "schemaVersion": 2 }', '{ "schemaVersion": 1, "id": 5 }'])(
    'leave out a record that holds %j',
    async (content) => {
      await writeRun(layout, runOf(2))
      const [name = ''] = await readdir(layout.runs)
      await writeFile(join(layout.runs, name), content)
      await writeRun(layout, runOf(1))
      await writeRun(layout, runOf(3))
      expect(await ids(APP, 2)).toEqual([runOf(3).id, runOf(1).id])
    },
  )

  test('leave out a record of another project that has this project in its name', async () => {
    await writeRun(layout, runOf(1))
    const [name = ''] = await readdir(layout.runs)
    const text = await readFile(join(layout.runs, name), 'utf8')
    await writeFile(join(layout.runs, `z${name}`), text.replace(APP, OTHER))
    expect(await ids(APP)).toEqual([runOf(1).id])
  })
})

describe('the last runs of all projects', () => {
  test('are the accepted ones, newest first, and at most `count` of them', async () => {
    for (const number of [1, 2, 3, 4]) await writeRun(layout, runOf(number, number % 2 === 0 ? APP : OTHER))
    const projects = async (count: number, accepts: (run: RunRecord) => boolean) =>
      (await readAllRuns(layout, count, accepts)).map(({ project }) => project)
    expect(await projects(3, () => true)).toEqual([APP, OTHER, APP])
    expect(await projects(3, ({ project }) => project === OTHER)).toEqual([OTHER, OTHER])
  })

  test('leave out a record of more than 8 MiB', async () => {
    await writeRun(layout, { ...runOf(1), report: 'x'.repeat(9 * 2 ** 20) })
    expect(await readAllRuns(layout, 9, () => true)).toEqual([])
  })

  test('are complete when they were written concurrently', async () => {
    const runs = Array.from({ length: 30 }, (_, number) => runOf(number, number % 2 === 0 ? APP : OTHER))
    await Promise.all(runs.map((run) => writeRun(layout, run)))
    expect(await readAllRuns(layout, 100, () => true)).toEqual(runs.reverse())
  })
})

describe('old runs', () => {
  test('are removed when all projects together have more than a thousand', async () => {
    await mkdir(layout.runs, { recursive: true })
    for (let number = 0; number < 1000; number++) {
      const name = `${runOf(number).id}.${String(number % 20).padStart(12, '0')}.json`
      await writeFile(join(layout.runs, name), '')
    }
    await writeFile(join(layout.runs, 'not-ours.txt'), '')
    await writeRun(layout, runOf(5000))
    const names = (await readdir(layout.runs)).sort()
    expect(names).toHaveLength(1001)
    expect(names).toContain('not-ours.txt')
    expect(names[0]).toMatch(new RegExp(`^${runOf(1).id}`))
  })

  test('are removed when their project has more than a hundred, and those of other projects stay', async () => {
    await writeRun(layout, runOf(0, OTHER))
    for (let number = 0; number < 103; number++) await writeRun(layout, runOf(number))
    const kept = await ids(APP)
    expect(kept).toHaveLength(100)
    expect([kept[0], kept.at(-1)]).toEqual([runOf(102).id, runOf(3).id])
    expect(await ids(OTHER)).toEqual([runOf(0).id])
    expect(await readdir(layout.runs)).toHaveLength(101)
  })

  test('can be read by their owner only', async () => {
    await writeRun(layout, runOf(1))
    const [name = ''] = await readdir(layout.runs)
    expect((await stat(join(layout.runs, name))).mode & 0o777).toBe(0o600)
  })
})
