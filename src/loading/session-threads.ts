import { type Fields, isObject } from '../model/json.ts'
import { optionOf } from './session-options.ts'

/** How the threads of sessions are set. */
export interface ThreadSettings {
  /** `shared`: threads wait without using the processor. `as-is`: ONNX Runtime's own default. */
  threads: 'shared' | 'as-is'
  /** How many test files run at the same time, at most. */
  filesAtOnce: number
}

// The threads of a session spin while they wait for work. By default they spin for longer than a run of most models takes, and
// that time is lost to other sessions: in four workers it is a third of all processor time. A thread that spins no longer than
// this still gets the next operator of a run without delay. Alone on a machine, a wait of a millisecond also covers the time
// between two runs.
const SPIN_MICROSECONDS = { alone: '1000', among: '50' }

/**
 * The options with which the threads of a session leave the processor to other sessions. Outputs are the same. Options that set threads
 * themselves are returned as they are. `version` is that of onnxruntime-node, where it is known.
 */
export function withSharedThreads(
  options: object | undefined,
  version: string | undefined,
  { threads, filesAtOnce }: ThreadSettings,
): object | undefined {
  const spinning = threads === 'shared' && !setsThreads(options) ? spinningFor(version, filesAtOnce > 1) : undefined
  if (spinning === undefined) return options
  const extra = Object(optionOf(options, 'extra'))
  return { ...options, extra: { ...extra, session: { ...extra.session, intra_op: spinning } } }
}

/** The keys below `session.intra_op` in onnxruntime_session_options_config_keys.h. Undefined where this version has none that helps. */
function spinningFor(version = '', isShared: boolean): Fields | undefined {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)\./.exec(version)?.map(Number) ?? []
  const isSince = (least: number) => major > 1 || (major === 1 && minor >= least)
  if (isSince(26)) return { spin_duration_us: isShared ? SPIN_MICROSECONDS.among : SPIN_MICROSECONDS.alone }
  // Earlier versions can only turn spinning off, and then a run alone takes a tenth longer. Versions before 1.21 ignore `extra`.
  return isSince(21) && isShared ? { allow_spinning: '0' } : undefined
}

function setsThreads(options: object | undefined): boolean {
  const own = ['intraOpNumThreads', 'interOpNumThreads', 'executionMode']
  if (own.some((name) => optionOf(options, name) !== undefined)) return true
  const extra = optionOf(options, 'extra') ?? {}
  if (!isObject(extra)) return true
  if (extra.session !== undefined && !isObject(extra.session)) return true
  return keysOf(extra).some((key) => /intra_op|inter_op|spinning/.test(key))
}

/** ONNX Runtime joins the keys of nested objects. */
function keysOf(value: unknown, depth = 0): string[] {
  if (!isObject(value) || depth > 8) return []
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner, depth + 1)])
}
