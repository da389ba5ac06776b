import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Layout } from '../../../src/cache/store/layout.ts'
import { type RunRecord, readRuns, writeRun } from '../../../src/cache/store/runs.ts'

const APP = '/projects/app'
const OTHER = '/projects/other'

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'runs test '))
  layout = new Layout(folder)
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
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
  test('are none where nothing ran', async () => {
    expect(await readRuns(layout, APP, 3)).toEqual([])
  })

  test('are read as they were written, newest first, and no more than were asked for', async () => {
    const runs = [3, 1, 5, 2, 4].map((number) => ({ ...runOf(number), report: { hits: number } }))
    for (const run of runs) await writeRun(layout, run)
    const sorted = [5, 4, 3, 2, 1].map((number) => ({ ...runOf(number), report: { hits: number } }))
    expect(await readRuns(layout, APP, 3)).toEqual(sorted.slice(0, 3))
    expect(await readRuns(layout, APP, 9)).toEqual(sorted)
    expect(await readRuns(layout, APP, 0)).toEqual([])
  })

  test('are told from those of other projects by their names alone', async () => {
    await writeRun(layout, runOf(1))
    const [own = ''] = await readdir(layout.runs)
    await writeRun(layout, runOf(2, OTHER))
    const [theirs = ''] = (await readdir(layout.runs)).filter((name) => name !== own)
    expect(own.startsWith(runOf(1).id)).toBe(true)
    expect(theirs.slice(theirs.indexOf('.'))).not.toBe(own.slice(own.indexOf('.')))
    // A folder in the place of another project's record would not let itself be read.
    await rm(join(layout.runs, theirs))
    await mkdir(join(layout.runs, theirs))
    expect(await ids(APP)).toEqual([runOf(1).id])
    await expect(readRuns(layout, OTHER, 1)).rejects.toMatchObject({ code: 'EISDIR' })
  })

  test.each(['', '{', 'null', '[]', '{ "schemaVersion": 2 }', '{ "schemaVersion": 1, "id": 5 }'])(
    'are those that can be read: one that holds %j is left out',
    async (content) => {
      await writeRun(layout, runOf(2))
      const [name = ''] = await readdir(layout.runs)
      await writeFile(join(layout.runs, name), content)
      await writeRun(layout, runOf(1))
      await writeRun(layout, runOf(3))
      expect(await ids(APP, 2)).toEqual([runOf(3).id, runOf(1).id])
    },
  )

  test('are not those that merely bear its mark', async () => {
    await writeRun(layout, runOf(1))
    const [name = ''] = await readdir(layout.runs)
    const text = await readFile(join(layout.runs, name), 'utf8')
    await writeFile(join(layout.runs, `z${name}`), text.replace(APP, OTHER))
    expect(await ids(APP)).toEqual([runOf(1).id])
  })
})

describe('old runs', () => {
  test('go beyond the last hundred of their project, and those of others stay', async () => {
    await writeRun(layout, runOf(0, OTHER))
    for (let number = 0; number < 103; number++) await writeRun(layout, runOf(number))
    const kept = await ids(APP)
    expect(kept).toHaveLength(100)
    expect([kept[0], kept.at(-1)]).toEqual([runOf(102).id, runOf(3).id])
    expect(await ids(OTHER)).toEqual([runOf(0).id])
    expect(await readdir(layout.runs)).toHaveLength(101)
  })

  test('are for their owner alone', async () => {
    await writeRun(layout, runOf(1))
    const [name = ''] = await readdir(layout.runs)
    expect((await stat(join(layout.runs, name))).mode & 0o777).toBe(0o600)
  })
})
