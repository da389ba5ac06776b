import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Metadata } from '../../../../src/cache/store/entries/metadata.ts'
import { Layout } from '../../../../src/cache/store/layout.ts'
import { type Entry, entryKey } from '../../../../src/model/entry.ts'
import { parseHubPath } from '../../../../src/model/hub-path.ts'
import { parseRepoId } from '../../../../src/model/repo-id.ts'
import { parseCommit } from '../../../../src/model/revision.ts'
import { Engine } from '../../../support/engine.ts'
import { entryWith } from '../../../support/entry.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

let layout: Layout
let problems: string[]

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'metadata test '))
  layout = new Layout(folder)
  problems = []
  onTestFinished(() => removeFolder(folder))
})

function open(): Metadata {
  return new Metadata(layout, (message) => problems.push(message))
}

function entryOf(repo: string, parts: Partial<Entry> = {}): Entry {
  return entryWith({
    repo: parseRepoId(repo),
    files: new Map([
      [
        parseHubPath('config.json', 'a test'),
        { size: 5, digest: `sha1:${'a'.repeat(40)}`, downloadMs: 8.5, mtimeMs: 1.5, ino: '18446744073709551615' },
      ],
    ]),
    ...parts,
  })
}

async function put(metadata: Metadata, ...entries: Entry[]): Promise<void> {
  await metadata.update((all) => {
    for (const entry of entries) all.set(entryKey(entry), entry)
  })
}

describe('entries', () => {
  test('are read as they were written, by this process and by others', async () => {
    const one = entryOf('org/one', { task: 'fill-mask', hits: 3, pinned: true })
    const two = entryOf('org/two')
    const writer = open()
    await put(writer, two, one)
    for (const metadata of [writer, open()]) {
      expect(await metadata.find(entryKey(one))).toEqual(one)
      expect(await metadata.all()).toEqual(
        new Map([
          [entryKey(one), one],
          [entryKey(two), two],
        ]),
      )
      expect(await metadata.find('org/three@main')).toBeUndefined()
    }
  })

  test('are seen by a reader that has read before they were written', async () => {
    const reader = open()
    expect(await reader.all()).toEqual(new Map())
    await put(open(), entryOf('org/one'))
    expect([...(await reader.all()).keys()]).toEqual([entryKey(entryOf('org/one'))])
    await open().update((all) => all.clear())
    expect(await reader.all()).toEqual(new Map())
    await rm(layout.metadata)
    expect(await reader.all()).toEqual(new Map())
  })

  test('are stored as a sorted JSON array with one record an entry', async () => {
    await put(open(), entryOf('org/b'), entryOf('org/a'))
    const records: unknown = JSON.parse(await readFile(layout.metadata, 'utf8'))
    expect(records).toMatchObject([
      { repo: 'org/a', modelName: 'org_a', version: '1.0' },
      { repo: 'org/b', modelName: 'org_b', version: '1.0' },
    ])
  })

  test('are the same when they are looked up one by one and all at once, however the file is formatted', async () => {
    const [one, two, gone] = [entryOf('org/one', { hits: 7 }), entryOf('org/two'), entryOf('org/gone')]
    await put(open(), one, two)
    const lines = await readFile(layout.metadata, 'utf8')
    const records: { repo: string; hits: number }[] = JSON.parse(lines)
    const older = { ...records[0], hits: 1 }
    const forms = {
      'as we write it': lines,
      'in one line': JSON.stringify(records),
      indented: JSON.stringify(records, null, 2),
      'with an older record of the same key behind it': `[\n${[...records, older].map((each) => JSON.stringify(each)).join(',\n')}\n]\n`,
    }
    for (const [form, text] of Object.entries(forms)) {
      await writeFile(layout.metadata, text)
      for (const entry of [one, two, gone]) {
        const alone = await open().find(entryKey(entry))
        expect(alone, form).toEqual((await open().all()).get(entryKey(entry)))
        expect(alone?.hits, form).toBe(entry === gone ? undefined : entry.hits)
      }
    }
    expect(problems).toEqual([])
  })

  test('can be looked up one by one when the record of another is damaged, which reading all entries reports', async () => {
    const one = entryOf('org/one')
    await put(open(), one, entryOf('org/two', { commit: parseCommit('2'.repeat(40), 'a test') }))
    const text = await readFile(layout.metadata, 'utf8')
    await writeFile(layout.metadata, text.replace('"repo":"org/two"', '"repo":org/two"'))
    expect(await open().find(entryKey(one))).toEqual(one)
    expect(problems).toEqual([])
    expect(await open().all()).toEqual(new Map())
    expect(problems).toEqual([expect.stringContaining('is damaged')])
  })

  test('stay as they were when an update fails', async () => {
    await put(open(), entryOf('org/one'))
    const before = await readFile(layout.metadata, 'utf8')
    const failing = open().update((all) => {
      all.clear()
      throw new Error('the update failed')
    })
    await expect(failing).rejects.toThrow('the update failed')
    expect(await readFile(layout.metadata, 'utf8')).toBe(before)
    expect(await readdir(layout.directory)).toEqual(['cache_metadata.json'])
  })
})

describe('updates', () => {
  test('in one process lose no change', async () => {
    const [one, other] = [open(), open()]
    await put(one, entryOf('org/shared'))
    const add = (metadata: Metadata) =>
      metadata.update((all) => {
        for (const entry of all.values()) entry.hits++
      })
    await Promise.all(Array.from({ length: 40 }, (_, index) => add(index % 2 ? one : other)))
    expect((await open().find(entryKey(entryOf('org/shared'))))?.hits).toBe(40)
  })

  test('of eight processes with thirty changes each lose no change', async () => {
    const engine = await Engine.start(onTestFinished)
    engine.hub.addRepo('org/shared', { files: { 'config.json': '{}' } })
    await engine.open().get('org/shared')
    const processes = await Promise.all(Array.from({ length: 8 }, () => engine.spawn()))
    await Promise.all(processes.map((process) => process.begin('use', ['org/shared'], 30)))
    expect(processes.flatMap(({ turns }) => turns.flatMap(({ errors }) => errors))).toEqual([])
    expect(await engine.open().list()).toMatchObject([{ repo: 'org/shared', hits: 240 }])
    expect((await readdir(engine.cacheDir)).filter((name) => /tmp|lock/.test(name))).toEqual([])
  }, 120_000)

  test('read the file again, also when its stamp has not changed', async () => {
    const metadata = open()
    await put(metadata, entryOf('org/one', { hits: 1 }))
    // The file is changed in place and gets its old time again. A replaced file can look so too, by a reused inode and a coarse clock.
    const sameTime = () => utimes(layout.metadata, 1_000_000_000, 1_000_000_000)
    await sameTime()
    await metadata.all()
    await writeFile(layout.metadata, (await readFile(layout.metadata, 'utf8')).replace('"hits":1', '"hits":2'))
    await sameTime()
    await metadata.update((all) => {
      for (const entry of all.values()) entry.hits++
    })
    expect((await open().find(entryKey(entryOf('org/one'))))?.hits).toBe(3)
  })
})

describe('a record of another version', () => {
  /** Adds a record that another version of this package wrote. */
  async function add(record: object): Promise<void> {
    const records: unknown[] = JSON.parse(await readFile(layout.metadata, 'utf8'))
    await writeFile(layout.metadata, JSON.stringify([record, ...records]))
  }

  async function records(): Promise<unknown[]> {
    return JSON.parse(await readFile(layout.metadata, 'utf8'))
  }

  test('that is newer is not read, and each update keeps it unchanged', async () => {
    const newer = { version: '2.0', repo: 'org/newer', commit: 'f'.repeat(40), files: ['in', 'another', 'form'] }
    await put(open(), entryOf('org/one'))
    await add(newer)
    const metadata = open()
    expect([...(await metadata.all()).keys()]).toEqual([entryKey(entryOf('org/one'))])
    expect(await metadata.find(`org/newer@${newer.commit}`)).toBeUndefined()
    await put(metadata, entryOf('org/two'))
    await metadata.update((all) => all.delete(entryKey(entryOf('org/one'))))
    expect(await records()).toEqual([expect.objectContaining({ repo: 'org/two' }), newer])
    await open().update((all) => all.clear())
    expect(await records()).toEqual([newer])
    expect(problems).toEqual([])
  })

  test('that is older or names no version is not kept', async () => {
    await put(open(), entryOf('org/one'))
    for (const version of ['0.9', 'none', undefined, 2]) await add({ version, repo: 'org/old', commit: 'f'.repeat(40) })
    await put(open(), entryOf('org/two'))
    expect(await records()).toMatchObject([{ repo: 'org/one' }, { repo: 'org/two' }])
  })
})

describe('a damaged file', () => {
  test.each(['', '[', '{}', 'null', '"text"', '[{"repo":'])(
    'counts as empty, and is reported once: %j',
    async (content) => {
      await writeFile(layout.metadata, content)
      const metadata = open()
      expect(await metadata.all()).toEqual(new Map())
      expect(await metadata.find('org/one@main')).toBeUndefined()
      expect(problems).toEqual([expect.stringContaining(`${layout.metadata} is damaged`)])
    },
  )

  test('can be written again', async () => {
    await writeFile(layout.metadata, 'damaged')
    await put(open(), entryOf('org/one'))
    expect((await open().all()).size).toBe(1)
  })

  test('is not reported when it is only missing', async () => {
    expect(await open().all()).toEqual(new Map())
    expect(problems).toEqual([])
  })

  test('with invalid records still gives the valid ones', async () => {
    await put(open(), entryOf('org/one'))
    const records: unknown[] = JSON.parse(await readFile(layout.metadata, 'utf8'))
    const broken = [
      ...[null, 5, 'text', [], {}, { repo: '../x', commit: 'y' }, { repo: 'org/two', commit: 'main' }],
      ...[
        { repo: { toString: 1 }, commit: { toString: 1 } },
        { repo: ['org/one'], commit: null },
      ],
    ]
    await writeFile(layout.metadata, JSON.stringify([...broken, ...records]))
    expect([...(await open().all()).values()]).toEqual([entryOf('org/one')])
  })
})
