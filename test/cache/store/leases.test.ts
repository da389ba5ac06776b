import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Layout } from '../../../src/cache/store/layout.ts'
import { Lease, leasedEntries } from '../../../src/cache/store/leases.ts'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const STORE = new URL('../../../src/cache/store/', import.meta.url)
const HOUR = 3600

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'leases test '))
  layout = new Layout(folder)
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
})

function lease(runId: string): Lease {
  const made = new Lease(layout, runId)
  onTestFinished(() => made.release())
  return made
}

async function leased(exceptRun?: string): Promise<string[]> {
  return [...(await leasedEntries(layout, exceptRun))].sort()
}

/** A live process that claims the entry. */
async function startRun(entry: string): Promise<ChildProcess> {
  const script = `
    import { Layout } from ${JSON.stringify(new URL('layout.ts', STORE))}
    import { Lease } from ${JSON.stringify(new URL('leases.ts', STORE))}
    const [directory, entry] = process.argv.slice(1)
    await new Lease(new Layout(directory), 'child').claim([entry])
    console.log('claimed')
    setTimeout(() => undefined, 600_000)
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script, layout.directory, entry]
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  if (child.stdout) await once(child.stdout, 'data')
  return child
}

/** A lease that somebody else left, as old as it is said. */
async function place(name: string, content: unknown, ageSeconds: number): Promise<string> {
  await mkdir(layout.leases, { recursive: true })
  const path = join(layout.leases, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  const time = Date.now() / 1000 - ageSeconds
  await utimes(path, time, time)
  return path
}

describe('a lease', () => {
  test('holds what was claimed, until it is released', async () => {
    expect(await leased()).toEqual([])
    const run = lease('one')
    await run.claim(['org/a@1'])
    await run.claim(['org/b@2', 'org/a@1'])
    expect(await leased()).toEqual(['org/a@1', 'org/b@2'])
    await run.release()
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })

  test('of the run that asks does not count', async () => {
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

  test('can be claimed anew after it was released', async () => {
    const run = lease('one')
    await run.claim(['org/a@1'])
    await run.release()
    await run.claim(['org/b@2'])
    expect(await leased()).toContain('org/b@2')
  })

  test('of another process holds while that lives, and not when it was killed', async () => {
    const child = await startRun('org/a@1')
    expect(await leased()).toEqual(['org/a@1'])
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    expect(await leased()).toEqual([])
    expect(await readdir(layout.leases)).toEqual([])
  })
})

describe('a lease of another machine', () => {
  const elsewhere = { pid: 1, host: 'elsewhere', entries: ['org/a@1'] }

  test('holds while its heartbeat is fresh', async () => {
    await place('far.json', elsewhere, 60)
    expect(await leased()).toEqual(['org/a@1'])
  })

  test('holds no more when it was silent for long, and is removed', async () => {
    const path = await place('far.json', elsewhere, HOUR)
    expect(await leased()).toEqual([])
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('a damaged lease', () => {
  test.each(['', '{', 'null', '[]', '{}', '{ "pid": "1", "host": "x", "entries": ["org/a@1"] }'])(
    'holds nothing and stops nobody: %s',
    async (content) => {
      await place('broken.json', content, HOUR)
      await lease('one').claim(['org/b@2'])
      expect(await leased()).toEqual(['org/b@2'])
    },
  )

  test('without entries holds nothing', async () => {
    await place('empty.json', { pid: process.pid, host: 'elsewhere', entries: 'org/a@1' }, 0)
    expect(await leased()).toEqual([])
  })
})
