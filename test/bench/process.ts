// The cost of a process and all its child processes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** The cost of a process and all its child processes. */
export interface Cost {
  wallMs: number
  /** Undefined without `/proc`, as the next two fields. The kernel counts in steps of 10 ms. */
  userMs?: number
  systemMs?: number
  /** The sum of the peak memory of all processes, in bytes. */
  peakBytes?: number
  stdout: string
}

// Often enough for a process that lives for about 100 ms. Peaks are the kernel's high-water marks, so only growth after the last
// reading is missed.
const LOOK_MS = 20
// sysconf(_SC_CLK_TCK) of Linux, on all architectures that Node.js runs on.
const TICK_MS = 10

/**
 * Runs one process to its end. Throws when it fails. Only one may run at a time: the time of other child processes that end in the
 * meantime would be counted too.
 */
export async function runProcess(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Cost> {
  const before = await childTicks()
  const started = performance.now()
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (output.stdout += chunk))
  child.stderr.on('data', (chunk) => (output.stderr += chunk))
  const closed = once(child, 'close')
  const peaks = watchPeaks(child)
  const [code, signal] = await closed
  const wallMs = performance.now() - started
  const peakBytes = await peaks
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}.\n${output.stderr}`)
  const after = await childTicks()
  const used = before && after && { userMs: after.userMs - before.userMs, systemMs: after.systemMs - before.systemMs }
  return { wallMs, ...used, peakBytes, stdout: output.stdout }
}

/** The CPU time of all ended child processes of this process, with their own children. */
async function childTicks(): Promise<{ userMs: number; systemMs: number } | undefined> {
  const stat = await readFile('/proc/self/stat', 'utf8').catch(() => undefined)
  // proc_pid_stat(5): cutime and cstime are the 16th and 17th fields. The second field, a name in brackets, may contain spaces.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!fields) return undefined
  return { userMs: Number(fields[13]) * TICK_MS, systemMs: Number(fields[14]) * TICK_MS }
}

async function watchPeaks(child: ChildProcess): Promise<number | undefined> {
  const peaks = new Map<number, number>()
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    for (const pid of await family(child.pid)) {
      const peak = await peakOf(pid)
      if (peak) peaks.set(pid, peak)
    }
    await sleep(LOOK_MS)
  }
  return peaks.size > 0 ? [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0) : undefined
}

/** The ids of a process and all its descendants. */
async function family(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  )
  const children = lists.join(' ').split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(children.map(family))).flat()]
}

async function peakOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(status) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}
