import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** The instant at which a process kills or stops itself. It is defined by the process's changes of the disk, not by a clock. */
export interface Instant {
  /** The number of the step, from 1. */
  step: number
  /**
   * `torn` writes only the first half of a small file; a step that is not such a write is done completely. `stopped` does not kill
   * the process: it prints the step, stops itself before that step, and continues after SIGCONT. For `stopped`, only steps count
   * that other processes can see.
   */
  when: 'before' | 'after' | 'torn' | 'stopped'
}

/** The functions that change the disk: each call is one step. */
const SYNC = [
  ...[
    'writeFileSync',
    'openSync',
    'writeSync',
    'ftruncateSync',
    'truncateSync',
    'copyFileSync',
    'fsyncSync',
    'utimesSync',
  ],
  ...['renameSync', 'linkSync', 'symlinkSync', 'unlinkSync', 'mkdirSync', 'rmdirSync', 'rmSync', 'chmodSync'],
]
const ASYNC = [
  ...[
    'writeFile',
    'open',
    'truncate',
    'copyFile',
    'utimes',
    'rename',
    'link',
    'symlink',
    'unlink',
    'mkdir',
    'rmdir',
    'rm',
  ],
  'chmod',
]
const OF_HANDLE = ['write', 'writev', 'writeFile', 'truncate', 'sync', 'datasync', 'utimes', 'chmod']

let left = 0
let instant: Instant | undefined

/** Makes the process kill or stop itself at that instant, counted from now. */
export async function dieAt(chosen: Instant | undefined): Promise<void> {
  left = chosen?.step ?? 0
  if (chosen && !instant) await countSteps()
  instant = chosen
}

async function countSteps(): Promise<void> {
  const handle = await fs.promises.open(process.execPath)
  const ofHandle: object = Object.getPrototypeOf(handle)
  await handle.close()
  for (const name of SYNC) countCalls(fs, name)
  for (const name of ASYNC) countCalls(fs.promises, name)
  for (const name of OF_HANDLE) countCalls(ofHandle, name)
  syncBuiltinESMExports()
}

function countCalls(target: object, name: string): void {
  const original: unknown = Reflect.get(target, name)
  if (typeof original !== 'function') throw new Error(`Node.js has no ${name}`)
  Reflect.set(target, name, function act(this: unknown, ...args: unknown[]): unknown {
    const isCounted = instant?.when !== 'stopped' || isSeen(name, String(args[0]))
    if (!instant || !isCounted || --left !== 0) return Reflect.apply(original, this, args)
    if (instant.when === 'stopped') {
      stop(`${name} ${args.slice(0, 2).join(' ')}`)
      return Reflect.apply(original, this, args)
    }
    if (instant.when === 'before') die()
    const [path, content] = args
    const isTorn =
      instant.when === 'torn' &&
      name === 'writeFileSync' &&
      (typeof content === 'string' || content instanceof Uint8Array)
    // A step that fails counts too, such as the rename of a file that does not exist.
    let result: unknown
    try {
      result = Reflect.apply(original, this, isTorn ? [path, halfOf(content), ...args.slice(2)] : args)
    } finally {
      if (!(result instanceof Promise)) die()
    }
    return Promise.resolve(result).finally(die)
  })
}

/** False for steps on files that only this process knows. */
function isSeen(name: string, path: string): boolean {
  if (name.startsWith('mkdir')) return path.includes('.aside')
  return /^(rename|link|symlink|rmdir|unlink)/.test(name) && !(name.startsWith('unlink') && path.endsWith('.tmp'))
}

function stop(step: string): void {
  fs.writeSync(1, `stopped before ${step}\n`)
  process.kill(process.pid, 'SIGSTOP')
}

function halfOf(content: string | Uint8Array): string | Uint8Array {
  return content.slice(0, content.length / 2)
}

/** Does not return: the process is killed before the call ends. */
function die(): void {
  process.kill(process.pid, 'SIGKILL')
}
