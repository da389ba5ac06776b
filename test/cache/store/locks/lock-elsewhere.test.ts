import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, type TestContext, test, vi } from 'vitest'
import { withLock } from '../../../../src/cache/store/locks/lock.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

async function newFolder(onFinished: TestContext['onTestFinished']): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lock test '))
  onFinished(() => removeFolder(folder))
  return folder
}

// These tests mostly wait, so they run concurrently.
describe.concurrent('a lock', () => {
  const YEAR = 365 * 86_400
  const owner = { pid: process.pid, host: 'elsewhere' }
  /** Milliseconds without a heartbeat after which a lock is taken over. */
  const SILENT_MS = 15_000

  /** Writes the lock file of another process, with a heartbeat of this age. */
  async function place(folder: string, name: string, content: string, ageSeconds: number): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, content)
    const time = Date.now() / 1000 - ageSeconds
    await utimes(path, time, time)
    return path
  }

  test('of another machine is taken over when its heartbeat stands still for 15 s, whatever its clock says', async ({
    expect,
    onTestFinished,
  }) => {
    const folder = await newFolder(onTestFinished)
    const whole = JSON.stringify({ id: 'far', ...owner })
    const contents = { whole, damaged: whole.slice(0, 20), empty: '', ownerless: '{"id":"far"}', foreign: 'null' }
    const ages = { past: 50 * YEAR, now: 0, future: -70 * YEAR }
    const locks = Object.entries(contents).flatMap(([what, content]) =>
      Object.entries(ages).map(([when, age]) => place(folder, `${what}-${when}.lock`, content, age)),
    )
    const started = performance.now()
    const waited = await Promise.all(
      locks.map(async (path) => withLock(await path, async () => performance.now() - started)),
    )
    expect(waited).toHaveLength(15)
    expect(Math.min(...waited)).toBeGreaterThan(SILENT_MS - 1_000)
    expect(Math.max(...waited)).toBeLessThan(2 * SILENT_MS)
    expect(await readdir(folder)).toEqual([])
  })

  test('of another machine is kept as long as its heartbeat changes, whatever its clock says', async ({
    expect,
    onTestFinished,
  }) => {
    const folder = await newFolder(onTestFinished)
    const ages = [50 * YEAR, 3600, -3600, -70 * YEAR]
    const locks = await Promise.all(
      ages.map((age, index) => place(folder, `${index}.lock`, JSON.stringify({ id: `far ${index}`, ...owner }), age)),
    )
    const controller = new AbortController()
    const gotIn = vi.fn(async () => undefined)
    const waiting = locks.map((path) => withLock(path, gotIn, controller.signal))
    const started = performance.now()
    while (performance.now() - started < SILENT_MS + 3_000) {
      await wait(2_000)
      for (const path of locks) {
        const beat = (await stat(path)).mtimeMs / 1000 + 2
        await utimes(path, beat, beat)
      }
    }
    expect(gotIn).not.toHaveBeenCalled()
    controller.abort(new Error('seen enough'))
    const outcomes = await Promise.allSettled(waiting)
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'seen enough' } })
    expect(await readdir(folder)).toHaveLength(locks.length)
  })

  /** Starts a process that takes the lock and then runs the code. Resolves when the code calls `tell()`. */
  async function startHolder(path: string, code: string, onFinished: TestContext['onTestFinished']) {
    const script = `
      const { withLock } = await import(${JSON.stringify(new URL('../../../../src/cache/store/locks/lock.ts', import.meta.url))})
      const tell = () => process.stdout.write('held\\n')
      await withLock(process.argv[1], async (hold) => { ${code} })
    `
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script, path]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onFinished(() => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    return child
  }

  test('of a live process of this machine is kept while its thread is busy, and taken over while it is stopped', async ({
    expect,
    onTestFinished,
  }) => {
    const folder = await newFolder(onTestFinished)
    const [busy, stopped] = [join(folder, 'busy.lock'), join(folder, 'stopped.lock')]
    // Blocks the thread for longer than the time after which a lock without a heartbeat is taken over.
    const compute = `tell(); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${SILENT_MS + 10_000})`
    const [, holder] = await Promise.all([
      startHolder(busy, compute, onTestFinished),
      startHolder(
        stopped,
        // The handler is installed first: without it, the signal would end the process.
        `process.once('SIGUSR2', () => console.log(hold.isOurs())); setInterval(() => {}, 1000); tell(); await new Promise(() => {})`,
        onTestFinished,
      ),
    ])
    holder.kill('SIGSTOP')
    const order: string[] = []
    const waiting = withLock(busy, async () => order.push('busy'))
    await withLock(stopped, async () => {
      order.push('stopped')
      await waiting
      holder.kill('SIGUSR2')
      holder.kill('SIGCONT')
      const [answer] = await once(holder.stdout, 'data')
      expect(String(answer)).toBe('false\n')
    })
    expect(order).toEqual(['stopped', 'busy'])
  })
})
