// What a whole process costs, with all that it starts.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of a process and of all that it started. */
export interface Cost {
  wallMs: number
  /** Undefined where there is no `/proc`, as all below. The kernel counts in steps of 10 ms. */
  userMs?: number
  systemMs?: number
  /** The peak of each process, summed up: bytes. */
  peakBytes?: number
  stdout: string
}

// Often enough to see the peak of a process that lives for some 100 ms. The last look may miss what comes after it: peaks are
// the kernel's own high-water marks, so that only growth within the last interval is missed.
const LOOK_MS = 20
// sysconf(_SC_CLK_TCK) of Linux, on all architectures that Node.js runs on.
const TICK_MS = 10

/** Runs one process to its end. Throws when it fails. One at a time: what others that end meanwhile took would be counted. */
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

/** What all children of this process have taken that ended by now, with their own. */
async function childTicks(): Promise<{ userMs: number; systemMs: number } | undefined> {
  const stat = await readFile('/proc/self/stat', 'utf8').catch(() => undefined)
  // proc_pid_stat(5): cutime and cstime are the 16th and 17th, and the second, a name in brackets, may hold spaces.
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

/** A process and all below it. */
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
