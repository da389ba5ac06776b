import type { PathToLoad } from '../cache/context/decided-path.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { messageOf } from '../model/errors.ts'
import { whyPlain } from './session-options.ts'
import { type ThreadSettings, withSharedThreads } from './session-threads.ts'

/** The arguments of `InferenceSession.create`. */
export interface AskedSession {
  /** The path of a model, or its bytes. */
  model: unknown
  options: object | undefined
  /** The version of onnxruntime-node. */
  version?: string
  /** The function `InferenceSession.create` that will be called. */
  runs?: unknown
}

/** Calls `InferenceSession.create` of the caller's own ONNX Runtime. */
export type Create<Session> = (model: unknown, options: object | undefined) => Promise<Session>

// The files that ONNX Runtime did not load mapped in this process.
const refused = new Set<string>()

/**
 * Creates a session of ONNX Runtime. Its threads leave the processor to other sessions, and the weights of a cached file are mapped where
 * that is possible. If ONNX Runtime refuses the mapped file, it loads the file itself. So an error is always that of the file itself.
 * A mock of the suite in the place of `InferenceSession.create` is called once, with the arguments as they were given.
 */
export async function createSession<Session>(
  cache: ModelCache,
  threads: ThreadSettings,
  { model, options: given, version, runs }: AskedSession,
  create: Create<Session>,
): Promise<Session> {
  if (isMock(runs)) return create(model, given)
  const options = withSharedThreads(given, version, threads)
  const note = options === given ? ', threads as they are' : ', threads shared'
  if (typeof model !== 'string') return create(model, options)
  let { path, way, reason } = await choosePath(cache, model, options)
  if (way === 'mapped') {
    try {
      const session = await create(path, options)
      cache.context.debug(`Loaded mapped: ${nameOf(model)}${note}`)
      return session
    } catch (cause) {
      refused.add(model)
      reason = `ONNX Runtime refused the mapped file: ${messageOf(cause)}`
    }
  }
  const session = await create(model, options)
  cache.context.debug(`Loaded plain: ${nameOf(model)} (${reason})${note}`)
  return session
}

/** True for mocks and spies of Vitest, Jest and `node:test`, and for those of Sinon. */
function isMock(value: unknown): boolean {
  return typeof value === 'function' && ['mock', 'isSinonProxy'].some((name) => Reflect.has(value, name))
}

async function choosePath(cache: ModelCache, model: string, options: object | undefined): Promise<PathToLoad> {
  const reason = refused.has(model) ? 'ONNX Runtime refused the mapped file before' : whyPlain(options)
  return reason === undefined ? cache.pathToLoad(model) : { path: model, way: 'plain', reason }
}

/** The repo and the path in it, for a file in a folder of the Hub's layout. */
function nameOf(file: string): string {
  const [, repo, path] = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/][^\\/]+[\\/](.+)$/.exec(file) ?? []
  return repo === undefined || path === undefined ? file : `${repo.replace('--', '/')} ${path.replaceAll('\\', '/')}`
}
