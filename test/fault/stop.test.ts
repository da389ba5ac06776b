import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { contentsOf, Engine, gitSha1, sha256 } from '../support/engine.ts'
import { mappableOnnx } from '../support/onnx-source.ts'
import { makeRequest } from '../support/request.ts'

// A stopped process (Ctrl-Z, a paused container) loses its locks after a while. When it is continued, it goes on with the
// operation that it was stopped in.

/** Takes over the locks of a stopped process, as a waiting process does after 15 seconds. */
async function takeLocks(engine: Engine): Promise<void> {
  for (const path of await engine.listing()) if (path.endsWith('.lock')) await rm(engine.inCache(path))
}

test('a process that is stopped while it writes the metadata does not overwrite later records of other processes', async ({
  expect,
  onTestFinished,
}) => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/one', { files: { 'config.json': '{}' } })
  const { repo, revision, commit } = await engine.open().get('org/one')
  const victim = await engine.spawn()
  const changes: string[] = []
  for (;;) {
    const change = await victim.beginAndStop('use', ['org/one'], changes.length + 1)
    if (change === undefined) break
    changes.push(change)
    await takeLocks(engine)
    const other = engine.open()
    await other.recordUses([makeRequest({ repo, revision, commit })])
    const pinned = changes.length % 2 === 1
    await other.pin(await other.list(), pinned)
    expect(await victim.goOn()).toMatchObject({ errors: [] })
    expect(await engine.open().list(), change).toMatchObject([{ hits: 2 * changes.length, pinned }])
  }
  expect(changes.join('\n')).toContain('cache_metadata.json')
  expect((await engine.listing()).filter((path) => /tmp|lock/.test(path))).toEqual([])
})

test('the removal of a model completes an earlier removal by a stopped process', async ({ expect, onTestFinished }) => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/m', { files: { 'config.json': '{}' } })
  await engine.open().get('org/m')
  // The folder into which the stopped process was moving files.
  const aside = engine.inCache('incoming', 'org%2Fm.aside', 'removed.1-0123456789ab.tmp')
  await mkdir(aside, { recursive: true })
  await writeFile(join(aside, '0'), 'moved before')
  await engine.open().remove('org/m')
  expect(await engine.listing('incoming')).toEqual([])
})

test('the removal of a packed model ends or is undone if its process was killed', async ({
  expect,
  onTestFinished,
}) => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/m', { files: { 'config.json': '{}' } })
  const victim = await engine.spawn()
  const outcomes = new Set<string>()
  for (let step = 1; ; step++) {
    await engine.open().get('org/m')
    await engine.open().pack()
    const change = await victim.beginAndStop('remove', ['org/m'], step)
    if (change === undefined) break
    await takeLocks(engine)
    const isRecorded = (await engine.records()).length > 0
    // What the process left is like what a killed one leaves.
    await engine.open().maintain()
    await engine.open().maintain()
    const [entry] = await engine.open().list()
    if (entry) expect((await engine.open({ offline: true }).get('org/m')).tier, change).toBe('cold')
    else expect(await engine.listing('cold'), change).toEqual([])
    expect(entry !== undefined, change).toBe(isRecorded)
    outcomes.add(entry ? 'stays' : 'is gone')
    expect(await victim.goOn()).toMatchObject({ errors: [] })
  }
  expect([...outcomes]).toEqual(['stays', 'is gone'])
})

const FILES = { 'config.json': '{}', 'sub/a.json': '{"a":1}', 'weights.bin': 'weights'.repeat(5000) }

// With KILLS set, `maintain` and `pack` are tested, too.
const verbs = process.env.KILLS
  ? (['remove', 'maintain', 'optimize', 'pack'] as const)
  : (['remove', 'optimize'] as const)

describe.concurrent('a process that is stopped', () => {
  // With these limits, `maintain` removes all models without a claim; `optimize` removes unreferenced files too.
  const limits = { maxSize: 1, maxAge: 0 }

  test.for(verbs)(
    'within %s removes nothing that a run has claimed since',
    async (verb, { expect, onTestFinished }) => {
      const engine = await Engine.start(onTestFinished)
      // Two repos share a file, and one also has an unreferenced file.
      engine.hub.addRepo('org/m', { files: FILES })
      engine.hub.addRepo('org/other', { files: { 'weights.bin': FILES['weights.bin'] } })
      const victim = await engine.spawn(verb === 'maintain' ? limits : {})
      const changes: string[] = []
      for (;;) {
        await engine.open().get('org/other')
        await engine.open().get('org/m')
        const orphan = join(engine.inCache('hub/models--org--m/blobs'), gitSha1('orphan'))
        if (verb === 'optimize') await writeFile(orphan, 'orphan')
        const change = await victim.beginAndStop(verb, ['org/m'], changes.length + 1)
        if (change === undefined) break
        changes.push(change)
        await takeLocks(engine)
        const run = engine.open({ run: { id: `live${changes.length}`, pid: process.pid } })
        const model = await run.get('org/m')
        expect(await contentsOf(model), change).toEqual(FILES)
        const turn = await victim.goOn()
        expect(
          turn.errors.filter((error) => !error.includes('IN_USE')),
          change,
        ).toEqual([])
        expect(await contentsOf(model), change).toEqual(FILES)
        engine.hub.clearRequests()
        expect(await contentsOf(await engine.open({ offline: true }).get('org/m')), change).toEqual(FILES)
        await run.endRun()
        if (verb === 'optimize') await engine.open().remove('org/m', 'org/other')
      }
      expect(changes.join('\n')).toMatch(/hub\/models--org--m\/(snapshots|blobs)/)
      expect((await engine.listing('incoming')).filter((path) => !path.endsWith('.incomplete'))).toEqual([])
    },
  )

  test('within a download returns the right files even if other processes removed the model since', async ({
    expect,
    onTestFinished,
  }) => {
    const engine = await Engine.start(onTestFinished)
    // The model has a skeleton.
    const files = { ...FILES, 'model.onnx': mappableOnnx(Buffer.alloc(1 << 20, 1)) }
    engine.hub.addRepo('org/m', { files })
    const victim = await engine.spawn()
    const expected = Object.fromEntries(Object.entries(files).map(([path, content]) => [path, sha256(content)]))
    const changes: string[] = []
    for (let step = 1; ; step++) {
      const change = await victim.beginAndStop('get', ['org/m'], step)
      // The last step releases the lock: from then on, other processes may remove a model that no run has claimed.
      if (change === undefined) break
      changes.push(change)
      if (/unlinkSync .*org%2Fm\.lock/.test(change)) {
        await victim.goOn()
        break
      }
      await takeLocks(engine)
      await engine.open().get('org/m')
      await engine.open().remove('org/m')
      expect(await victim.goOn(), change).toMatchObject({ errors: [], given: [{ contents: expected }] })
      await engine.open().remove('org/m')
      // No skeleton of a removed model stays.
      expect(await engine.listing('hub'), change).toEqual([])
    }
    expect(changes.join('\n')).toContain('.mapped.onnx')
    expect((await engine.listing('incoming')).filter((path) => !path.endsWith('.incomplete'))).toEqual([])
  })
})
