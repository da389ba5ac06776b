import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Layout } from '../../../../src/cache/store/layout.ts'
import { Lease, leasedEntries, releaseRun } from '../../../../src/cache/store/locks/leases.ts'
import { thisProcess } from '../../../../src/cache/store/locks/owner.ts'
import { kill } from '../../../support/kill.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url))
const STORE = new URL('../../../../src/cache/store/', import.meta.url)
const HOUR = 3600

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'leases test '))
  layout = new Layout(folder)
  await writeFile(layout.marker, '{"format":1}')
  onTestFinished(() => removeFolder(folder))
})

function lease(runId: string): Lease {
  const made = new Lease(layout, { id: runId, pid: process.pid })
  onTestFinished(() => made.release())
  return made
}

async function leased(exceptRun?: string): Promise<string[]> {
  return [...(await leasedEntries(layout, exceptRun))].sort()
}

/** Starts a process that claims the entry, for a run whose main process is `mainPid`, by default itself. */
async function startRun(entry: string, mainPid?: number): Promise<ChildProcess> {
  const script = `
    import { Layout } from ${JSON.stringify(new URL('layout.ts', STORE))}
    import { Lease } from ${JSON.stringify(new URL('locks/leases.ts', STORE))}
    const [directory, entry, pid] = process.argv.slice(1)
    await new Lease(new Layout(directory), { id: 'child', pid: Number(pid || process.pid) }).claim([entry])
    console.log('claimed')
    setTimeout(() => undefined, 600_000)
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script, layout.directory, entry, `${mainPid ?? ''}`]
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  if (child.stdout) await once(child.stdout, 'data')
  return child
}

/** Writes a lease file of this age. */
async function place(name: string, content: unknown, ageSeconds: number): Promise<string> {
  await mkdir(layout.leases, { recursive: true })
  const path = join(layout.leases, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  const time = Date.now() / 1000 - ageSeconds
  await utimes(path, time, time)
  return path
}

describe('a lease', () => {
  test('claims entries until it is released', async () => {
    expect(await leased()).toEqual([])
    const run = lease('one')
    await run.claim(['org/a@1'])
    await run.claim(['org/b@2', 'org/a@1'])
    expect(await leased()).toEqual(['org/a@1', 'org/b@2'])
    await run.release()
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })

  test('has all entries that were claimed concurrently', async () => {
    for (let round = 0; round < 10; round++) {
      const keys = Array.from({ length: 20 }, (_, index) => `org/${String(index).padStart(2, '0')}@1`)
      const run = lease(`run-${round}`)
      await Promise.all(keys.map((key) => run.claim([key])))
      expect(await leased()).toEqual(keys)
      await run.release()
    }
  })

  test('of the excepted run is left out', async () => {
    await lease('one').claim(['org/a@1'])
    await lease('two').claim(['org/b@2'])
    expect(await leased('one')).toEqual(['org/b@2'])
    expect(await leased('three')).toEqual(['org/a@1', 'org/b@2'])
  })

  test('may be released twice, and without a claim', async () => {
    const run = lease('one')
    await run.release()
    await run.claim(['org/a@1'])
    await run.release()
    await run.release()
    expect(await leased()).toEqual([])
  })

  test('can claim again after it was released', async () => {
    const run = lease('one')
    await run.claim(['org/a@1'])
    await run.release()
    await run.claim(['org/b@2'])
    expect(await leased()).toContain('org/b@2')
  })

  test('of another process is in force while the process lives, and is removed after it was killed', async () => {
    const child = await startRun('org/a@1')
    expect(await leased()).toEqual(['org/a@1'])
    await kill(child)
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })
})

describe('a lease whose pid another process has now', () => {
  test('is removed', async () => {
    await place('ended.1-0.json', { ...thisProcess(), started: `${thisProcess().started}0`, entries: ['org/a@1'] }, 0)
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })

  // Two machines with the same name may share a folder, or this machine may have been started again.
  test('is in force while its heartbeat is fresh, if it is of another boot or has no start time', async () => {
    await place('boot.1-0.json', { ...thisProcess(), started: 'another-boot 1', entries: ['org/a@1'] }, 60)
    await place('old.1-0.json', { ...thisProcess(), started: undefined, entries: ['org/b@2'] }, 60)
    expect(await leased()).toEqual(['org/a@1', 'org/b@2'])
    await place('boot.1-0.json', { ...thisProcess(), started: 'another-boot 1', entries: ['org/a@1'] }, HOUR)
    await place('old.1-0.json', { ...thisProcess(), started: undefined, entries: ['org/b@2'] }, HOUR)
    expect(await leased()).toEqual([])
  })
})

test('a stopped run keeps its claims', async () => {
  const run = await startRun('org/a@1')
  run.kill('SIGSTOP')
  await place(`child.${run.pid}-0.json`, await readFile(join(layout.leases, `child.${run.pid}-0.json`), 'utf8'), HOUR)
  expect(await leased()).toEqual(['org/a@1'])
})

test('a lease that was removed with its folder is written again by the next claim', async () => {
  const run = lease('one')
  await run.claim(['org/a@1', 'org/b@2'])
  expect(await run.claim(['org/a@1'])).toBe(false)
  await rm(layout.leases, { recursive: true })
  expect(await run.claim(['org/a@1'])).toBe(true)
  expect(await leased()).toEqual(['org/a@1', 'org/b@2'])
})

describe('a run of several processes', () => {
  test('has a lease file for each process and thread', async () => {
    const worker = await startRun('org/b@2', process.pid)
    await lease('child').claim(['org/a@1'])
    const names = [`child.${process.pid}-${threadId}.json`, `child.${worker.pid}-0.json`]
    expect((await readdir(layout.leases)).sort()).toEqual(names.sort())
    expect(await leased()).toEqual(['org/a@1', 'org/b@2'])
    expect(await leased('child')).toEqual([])
  })

  test('keeps the claims of a worker that has ended, as long as its main process lives', async () => {
    const worker = await startRun('org/a@1', process.pid)
    await kill(worker)
    expect(await leased()).toEqual(['org/a@1'])
  })

  test('takes over the claims of workers that have ended, and removes their files', async () => {
    const workers = await Promise.all(['org/a@1', 'org/b@2'].map((entry) => startRun(entry, process.pid)))
    const alive = await startRun('org/c@3', process.pid)
    await Promise.all(workers.map(kill))
    await lease('child').gather()
    const names = [`child.${process.pid}-${threadId}.json`, `child.${alive.pid}-0.json`]
    expect((await readdir(layout.leases)).sort()).toEqual(names.sort())
    expect(await leased()).toEqual(['org/a@1', 'org/b@2', 'org/c@3'])
  })

  test('has no claims when its main process has ended, also while a worker still lives', async () => {
    const main = await startRun('org/a@1')
    await startRun('org/b@2', main.pid)
    expect(await leased()).toEqual(['org/a@1', 'org/b@2'])
    await kill(main)
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })

  test('is released as a whole, and no other run is', async () => {
    await startRun('org/b@2', process.pid)
    await lease('child').claim(['org/a@1'])
    await lease('child2').claim(['org/c@3'])
    releaseRun(layout, 'child')
    expect(await leased()).toEqual(['org/c@3'])
  })

  test('is not confused with a run whose id begins with the same letters', async () => {
    await lease('one').claim(['org/a@1'])
    await lease('one-more').claim(['org/b@2'])
    expect(await leased('one')).toEqual(['org/b@2'])
    expect(await leased('one-more')).toEqual(['org/a@1'])
  })

  test('is released without an error when it has no lease', async () => {
    releaseRun(layout, 'one')
    expect(await leased()).toEqual([])
  })
})

describe('a lease of another machine', () => {
  const elsewhere = { pid: 1, host: 'elsewhere', entries: ['org/a@1'] }

  test('is in force while its heartbeat is fresh', async () => {
    await place('far.1-0.json', elsewhere, 60)
    expect(await leased()).toEqual(['org/a@1'])
  })

  test('is removed when it had no heartbeat for an hour', async () => {
    const path = await place('far.1-0.json', elsewhere, HOUR)
    expect(await leased()).toEqual([])
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.each([-HOUR, -100 * 365 * 24 * HOUR])('is removed when its heartbeat is in the future: %d s', async (age) => {
    await place('far.1-0.json', elsewhere, age)
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })

  /** Runs the code in a process that poses as another machine. Its clock is off by `skewSeconds`, its timers run 100 times as fast. */
  function startElsewhere(code: string, skewSeconds: number): ChildProcess {
    const machine = `
      import os from 'node:os'
      import { syncBuiltinESMExports } from 'node:module'
      const { now } = Date
      Date.now = () => now() + ${skewSeconds * 1000}
      os.hostname = () => 'elsewhere'
      syncBuiltinESMExports()
      const { setInterval } = globalThis
      globalThis.setInterval = (work, ms) => setInterval(work, ms / 100)
      const { Layout } = await import(${JSON.stringify(new URL('layout.ts', STORE))})
      const { Lease, leasedEntries } = await import(${JSON.stringify(new URL('locks/leases.ts', STORE))})
      const layout = new Layout(process.argv[1])
      ${code}
    `
    const args = ['--import', 'tsx', '--input-type=module', '--eval', machine, layout.directory]
    const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  test.each([-2 * HOUR, 2 * HOUR])(
    'is in force while its process lives, also when its clock is off by %d s',
    async (skew) => {
      const child = startElsewhere(
        `
        await new Lease(layout, { id: 'far', pid: process.pid }).claim(['org/a@1'])
        console.log('claimed')
        setTimeout(() => undefined, 600_000)
      `,
        skew,
      )
      if (child.stdout) await once(child.stdout, 'data')
      const [name = ''] = await readdir(layout.leases)
      const beat = async () => (await stat(join(layout.leases, name))).mtimeMs
      const first = await beat()
      await vi.waitFor(async () => expect(await beat()).toBeGreaterThan(first + 500), { timeout: 200_000 })
      expect(await leased()).toEqual(['org/a@1'])
    },
  )

  test('is written again after it was removed, as long as its run lives', async () => {
    const child = startElsewhere(
      `
        await new Lease(layout, { id: 'far', pid: process.pid }).claim(['org/a@1'])
        console.log('claimed')
        setTimeout(() => undefined, 600_000)
      `,
      0,
    )
    if (child.stdout) await once(child.stdout, 'data')
    await rm(layout.leases, { recursive: true })
    await vi.waitFor(async () => expect(await leased()).toEqual(['org/a@1']), { timeout: 200_000 })
  })

  test.each([-2 * HOUR, 2 * HOUR])('is respected by a machine whose clock is off by %d s', async (skew) => {
    await lease('here').claim(['org/a@1'])
    const child = startElsewhere('console.log(JSON.stringify([...(await leasedEntries(layout))]))', skew)
    expect(child.stdout && (await text(child.stdout))).toBe('["org/a@1"]\n')
    expect(await leased()).toEqual(['org/a@1'])
  })
})

describe('a damaged lease', () => {
  test.each(['', '{', 'null', '[]', '{}', '{ "pid": "1", "host": "x", "entries": ["org/a@1"] }'])(
    'claims nothing, and other leases still count: %s',
    async (content) => {
      await place('broken.json', content, HOUR)
      await lease('one').claim(['org/b@2'])
      expect(await leased()).toEqual(['org/b@2'])
    },
  )

  test('without a list of entries claims nothing', async () => {
    await place('empty.json', { pid: process.pid, host: 'elsewhere', entries: 'org/a@1' }, 0)
    expect(await leased()).toEqual([])
  })
})
