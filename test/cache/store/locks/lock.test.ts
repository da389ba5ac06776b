import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { withLock } from '../../../../src/cache/store/locks/lock.ts'
import { thisProcess } from '../../../../src/cache/store/locks/owner.ts'
import { originals } from '../../../../src/platform/originals.ts'
import { kill } from '../../../support/kill.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url))
const LOCK_MODULE = JSON.stringify(new URL('../../../../src/cache/store/locks/lock.ts', import.meta.url))

let folder: string
let lock: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock test '))
  lock = join(folder, 'deep', 'a.lock')
  onTestFinished(() => removeFolder(folder))
})

/** Runs the code in a process of its own. The code can use `withLock`, `lock` and `file`. */
function start(code: string, file = ''): ChildProcess {
  const script = `
    import { withLock } from ${LOCK_MODULE}
    import { readFile, writeFile } from 'node:fs/promises'
    const [lock, file] = process.argv.slice(1)
    ${code}
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script, lock, file]
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** A process that holds the lock until it is killed. */
async function startHolder(): Promise<ChildProcess> {
  const child = start(
    `await withLock(lock, () => { console.log('held'); return new Promise((resolve) => setTimeout(resolve, 600_000)) })`,
  )
  if (child.stdout) await once(child.stdout, 'data')
  return child
}

/** Counts, with `turns` pauses between reading and writing. Two concurrent calls of `add` would give a wrong `value`. */
function counter(turn: () => Promise<unknown> = () => setImmediate(), turns = 3) {
  let value = 0
  let inside = 0
  let most = 0
  const add = async () => {
    most = Math.max(most, ++inside)
    const before = value
    for (let done = 0; done < turns; done++) await turn()
    value = before + 1
    inside--
  }
  return { add, result: () => ({ value, most }) }
}

describe('a lock', () => {
  test('is held by one call at a time in one process', async () => {
    const { add, result } = counter()
    await Promise.all(Array.from({ length: 60 }, () => withLock(lock, add)))
    expect(result()).toEqual({ value: 60, most: 1 })
  })

  test('is held by one process at a time', async () => {
    const file = join(folder, 'count')
    await writeFile(file, '0')
    const code = `
      for (let round = 0; round < 25; round++)
        await withLock(lock, async () => writeFile(file, String(Number(await readFile(file, 'utf8')) + 1)))
    `
    const children = Array.from({ length: 4 }, () => start(code, file))
    const exits = await Promise.all(children.map((child) => once(child, 'exit')))
    expect(exits.map(([code]) => code)).toEqual([0, 0, 0, 0])
    expect(await readFile(file, 'utf8')).toBe('100')
  })

  test('does not block a lock with another name', async () => {
    const order: string[] = []
    await withLock(lock, async () => {
      await withLock(`${lock}2`, async () => order.push('inner'))
      order.push('outer')
    })
    expect(order).toEqual(['inner', 'outer'])
  })

  test('returns the result of the work', async () => {
    expect(await withLock(lock, async () => 'result')).toBe('result')
  })

  test('is free again after the work failed', async () => {
    const failing = withLock(lock, async () => {
      throw new Error('the work failed')
    })
    await expect(failing).rejects.toThrow('the work failed')
    expect(await withLock(lock, async () => 'next')).toBe('next')
  })

  test('leaves no file', async () => {
    await Promise.all(Array.from({ length: 10 }, () => withLock(lock, setImmediate)))
    expect(await readdir(join(folder, 'deep'))).toEqual([])
  })
})

describe('a call that waits for a lock', () => {
  test('can be aborted while another process takes over the lock of a dead owner', async () => {
    await kill(await startHolder())
    await withLock(`${lock}.takeover`, async () => {
      const controller = new AbortController()
      const waiting = withLock(lock, async () => 'never', controller.signal)
      controller.abort(new Error('no more time'))
      await expect(waiting).rejects.toThrow('no more time')
    })
  })

  test('can be aborted, and the holder keeps the lock', async () => {
    await withLock(lock, async () => {
      const controller = new AbortController()
      const waiting = withLock(lock, async () => 'never', controller.signal)
      controller.abort(new Error('no more time'))
      await expect(waiting).rejects.toThrow('no more time')
      expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid })
    })
  })

  test('waits as long as a live process holds the lock', async () => {
    const holder = await startHolder()
    const held = await readFile(lock, 'utf8')
    const controller = new AbortController()
    const waiting = withLock(lock, async () => 'never', controller.signal)
    // While another lock is taken and released twenty times, the waiting call checks this lock several times.
    for (let round = 0; round < 20; round++) await withLock(`${lock}2`, setImmediate)
    expect(await readFile(lock, 'utf8')).toBe(held)
    controller.abort(new Error('seen enough'))
    await expect(waiting).rejects.toThrow('seen enough')
    await kill(holder)
  })

  test('gets the lock at once when its owner was killed', async () => {
    await kill(await startHolder())
    // Our clock stands still, so the lock is not taken over for a missing heartbeat.
    const clock = vi.spyOn(originals, 'monotonic').mockReturnValue(0)
    onTestFinished(() => clock.mockRestore())
    expect(await withLock(lock, async () => 'taken over')).toBe('taken over')
    expect(await readdir(join(folder, 'deep'))).toEqual([])
  })

  test('gets the lock when its owner is killed meanwhile', async () => {
    const holder = await startHolder()
    const waiting = withLock(lock, async () => 'taken over')
    await kill(holder)
    expect(await waiting).toBe('taken over')
  })

  test('sees what the last holder wrote', async () => {
    const file = join(folder, 'note')
    const writer = start(
      `await withLock(lock, async () => { await writeFile(file, 'note'); console.log('done') })`,
      file,
    )
    if (writer.stdout) expect(await text(writer.stdout)).toBe('done\n')
    expect(await withLock(lock, () => readFile(file, 'utf8'))).toBe('note')
  })
})

describe('the lock of a dead owner', () => {
  /** The pid of a process that has ended. */
  async function deadPid(): Promise<number> {
    const child = spawn(process.execPath, ['--eval', ''])
    await once(child, 'exit')
    return child.pid ?? 0
  }

  test('is taken over by one at a time of twenty waiting calls, in every round', async () => {
    const owner = { pid: await deadPid(), host: thisProcess().host }
    await mkdir(dirname(lock))
    const look = () => readFile(lock).catch(() => undefined)
    for (let round = 0; round < 10; round++) {
      await writeFile(lock, JSON.stringify({ id: `dead ${round}`, ...owner }))
      const { add, result } = counter(look, 12)
      const waiters = Array.from({ length: 20 }, async (_, index) => {
        // The calls start at different times: some see the dead owner while others remove its lock or hold it already.
        for (let turn = 0; turn < index % 7; turn++) await look()
        await withLock(lock, add)
      })
      await Promise.all(waiters)
      expect(result()).toEqual({ value: 20, most: 1 })
    }
    expect(await readdir(dirname(lock))).toEqual([])
  })

  test('is taken over also when a process died while it took the lock over', async () => {
    const owner = { pid: await deadPid(), host: thisProcess().host }
    await mkdir(dirname(lock))
    await writeFile(lock, JSON.stringify({ id: 'dead', ...owner }))
    await writeFile(`${lock}.takeover`, JSON.stringify({ id: 'dead too', ...owner }))
    const { add, result } = counter()
    await Promise.all(Array.from({ length: 5 }, () => withLock(lock, add)))
    expect(result()).toEqual({ value: 5, most: 1 })
    expect(await readdir(dirname(lock))).toEqual([])
  })

  test('is taken over by one at a time of several processes', async () => {
    const file = join(folder, 'count')
    await writeFile(file, '0')
    await mkdir(dirname(lock))
    await writeFile(lock, JSON.stringify({ id: 'dead', pid: await deadPid(), host: thisProcess().host }))
    const code = `
      await Promise.all(Array.from({ length: 10 }, () =>
        withLock(lock, async () => writeFile(file, String(Number(await readFile(file, 'utf8')) + 1)))))
    `
    const exits = await Promise.all(Array.from({ length: 3 }, () => once(start(code, file), 'exit')))
    expect(exits.map(([exit]) => exit)).toEqual([0, 0, 0])
    expect(await readFile(file, 'utf8')).toBe('30')
  })
})

test('the lock of a killed process is free at once, also when its parent never reads its exit code', async () => {
  // The shell's child `sleep 1` ends. The shell becomes `sleep 600`, which never reads the exit code of the child.
  const parent = spawn('sh', ['-c', 'sleep 1 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [pid] = await once(parent.stdout, 'data')
  await mkdir(dirname(lock))
  await writeFile(lock, JSON.stringify({ id: 'ended', pid: Number(String(pid)), host: thisProcess().host }))
  const started = performance.now()
  expect(await withLock(lock, async () => 'taken over')).toBe('taken over')
  expect(performance.now() - started).toBeLessThan(10_000)
})

test('a holder that lost its lock to another process does not release the lock of that process', async () => {
  const other = JSON.stringify({ id: 'another', pid: process.pid, host: 'elsewhere' })
  await withLock(lock, async () => {
    await rm(lock)
    await writeFile(lock, other)
  })
  expect(await readFile(lock, 'utf8')).toBe(other)
})

test('a holder whose lock file is gone ends without an error', async () => {
  expect(
    await withLock(lock, async () => {
      await rm(folder, { recursive: true })
      return 'done'
    }),
  ).toBe('done')
})

test('the lock of a live process is kept, also when a suite mocks process.kill', async () => {
  const holder = await startHolder()
  const held = await readFile(lock, 'utf8')
  const kills = vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('There is no such process'), { code: 'ESRCH' })
  })
  onTestFinished(() => kills.mockRestore())
  const controller = new AbortController()
  const waiting = withLock(lock, async () => 'never', controller.signal)
  for (let round = 0; round < 20; round++) await withLock(`${lock}2`, setImmediate)
  expect(await readFile(lock, 'utf8')).toBe(held)
  controller.abort(new Error('seen enough'))
  await expect(waiting).rejects.toThrow('seen enough')
  kills.mockRestore()
  await kill(holder)
})
