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
  /** The largest sum of the PSS of all descendants at one time, in bytes. Only if it was asked for. */
  pssBytes?: number
  stdout: string
}

export interface ProcessOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Also measures `pssBytes`. This takes processor time from the processes that are measured. */
  countsPss?: boolean
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
  { countsPss = false, ...options }: ProcessOptions = {},
): Promise<Cost> {
  const before = await childTicks()
  const started = performance.now()
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (output.stdout += chunk))
  child.stderr.on('data', (chunk) => (output.stderr += chunk))
  const closed = once(child, 'close')
  const watched = watchMemory(child, countsPss)
  const [code, signal] = await closed
  const wallMs = performance.now() - started
  const memory = await watched
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}.\n${output.stderr}`)
  const after = await childTicks()
  const used = before && after && { userMs: after.userMs - before.userMs, systemMs: after.systemMs - before.systemMs }
  return { wallMs, ...used, ...memory, stdout: output.stdout }
}

/** The CPU time of all ended child processes of this process, with their own children. */
export async function childTicks(): Promise<{ userMs: number; systemMs: number } | undefined> {
  const stat = await readFile('/proc/self/stat', 'utf8').catch(() => undefined)
  // proc_pid_stat(5): cutime and cstime are the 16th and 17th fields. The second field, a name in brackets, may contain spaces.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!fields) return undefined
  return { userMs: Number(fields[13]) * TICK_MS, systemMs: Number(fields[14]) * TICK_MS }
}

async function watchMemory(child: ChildProcess, countsPss: boolean): Promise<Pick<Cost, 'peakBytes' | 'pssBytes'>> {
  const peaks = new Map<number, number>()
  let pssBytes = 0
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const pids = await family(child.pid)
    for (const pid of pids) {
      const peak = await bytesIn(`/proc/${pid}/status`, 'VmHWM')
      if (peak) peaks.set(pid, peak)
    }
    if (countsPss) {
      const workers = pids.filter((pid) => pid !== child.pid)
      const each = await Promise.all(workers.map((pid) => bytesIn(`/proc/${pid}/smaps_rollup`, 'Pss')))
      pssBytes = Math.max(pssBytes, sumOf(each.map((bytes = 0) => bytes)))
    }
    await sleep(LOOK_MS)
  }
  return { ...(peaks.size > 0 && { peakBytes: sumOf([...peaks.values()]) }), ...(pssBytes > 0 && { pssBytes }) }
}

function sumOf(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
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

/** A figure of a file of `/proc`. Undefined if the process is gone. */
async function bytesIn(file: string, name: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}
