import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** The instant at which a process kills or stops itself, told by what it does to the disk and not by a clock. */
export interface Instant {
  /** 1 is the first step of the task. */
  step: number
  /**
   * `torn` writes the first half of a small file. A step that is no such write happens as a whole. `stopped` does not kill: the
   * process says before which step it is, and makes it after SIGCONT. Of these steps only those count that others can see.
   */
  when: 'before' | 'after' | 'torn' | 'stopped'
}

/** What changes something on the disk: each call is one step. */
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

/** Has the process kill itself at an instant of what it does from now on. */
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
    const isTorn = instant.when === 'torn' && name === 'writeFileSync' && typeof content === 'string'
    const result: unknown = Reflect.apply(original, this, isTorn ? [path, halfOf(content), ...args.slice(2)] : args)
    if (!(result instanceof Promise)) die()
    return Promise.resolve(result).finally(die)
  })
}

/** False for what happens in files that only this process knows. */
function isSeen(name: string, path: string): boolean {
  if (name.startsWith('mkdir')) return path.includes('.aside')
  return /^(rename|link|symlink|rmdir|unlink)/.test(name) && !(name.startsWith('unlink') && path.endsWith('.tmp'))
}

function stop(step: string): void {
  fs.writeSync(1, `stopped before ${step}\n`)
  process.kill(process.pid, 'SIGSTOP')
}

function halfOf(content: string): string {
  return content.slice(0, content.length / 2)
}

/** Does not return: the signal comes before the call does. */
function die(): void {
  process.kill(process.pid, 'SIGKILL')
}
