// Code for the end of transformers.js's own source (4.3: `dist/transformers.node.mjs` and `.cjs`). The declared names are names
// of that module. A version without one of them stays unchanged.
import located = require('./located-file.cts')

interface Bridge {
  sizeOf(path: string): number | undefined
  createSession(
    asked: { model: unknown; options: unknown; version?: string; runs?: unknown },
    create: CreateSession,
  ): Promise<unknown>
}
type CreateSession = (model: unknown, options: unknown, ...rest: unknown[]) => Promise<unknown>
interface Options {
  local_files_only?: boolean
}
interface Paths {
  localPath: string
  remoteURL: string
  validModelId: boolean
}
declare let loadResourceFile: (
  id: string,
  filename: string,
  fatal?: boolean,
  options?: Options,
  asPath?: boolean,
  cache?: unknown,
) => Promise<unknown>
declare let _get_file_metadata: (id: string, filename: string, options?: Options) => Promise<{ exists: boolean }>
declare let createInferenceSession: CreateSession
/** onnxruntime-node. */
declare const ONNX: { env?: { versions?: { node?: string } } } | undefined
declare const InferenceSession: { new (): object; create?: unknown } | undefined
declare let webInitChain: Promise<unknown>
declare let getFile: (address: unknown) => Promise<unknown>
declare const buildResourcePaths: (id: string, filename: string, options: Options, cache: unknown) => Paths
declare const handleError: (status: number, url: string, fatal: boolean) => unknown
declare const FileResponse: { new (path: string): object; prototype: { updateContentType?(): void } }
declare const env: {
  useCustomCache: boolean
  allowLocalModels: boolean
  allowRemoteModels: boolean
}

function attachToTransformers(locateFile: typeof located.locateFile, fileResponse: typeof located.fileResponse): void {
  const names = [
    typeof loadResourceFile,
    typeof _get_file_metadata,
    typeof buildResourcePaths,
    typeof handleError,
    typeof FileResponse,
  ]
  if (names.some((type) => type !== 'function') || typeof env !== 'object') return
  const load = loadResourceFile
  const probe = _get_file_metadata

  /** Undefined where transformers.js has to look itself: for a local model, or in a custom cache of the user. */
  const locate = async (id: string, filename: string, options: Options, isProbe: boolean) => {
    if (env.useCustomCache) return undefined
    const { localPath, remoteURL, validModelId } = buildResourcePaths(id, filename, options, null)
    if (!validModelId) return undefined
    const found = await locateFile(env, { localPath, remoteURL, options, isProbe })
    return found && { found, remoteURL }
  }

  // If the cache answers with an error, a copy in transformers.js's own cache is used.
  const KEPT = { local_files_only: true }
  const failure = (error: unknown) => ({ error })

  loadResourceFile = async (id, filename, fatal = true, options = {}, asPath = false, cache = null) => {
    const located = await locate(id, filename, options ?? {}, false).catch(failure)
    if (located === undefined) return load(id, filename, fatal, options, asPath, cache)
    if ('error' in located) {
      const kept = await load(id, filename, false, { ...options, ...KEPT }, asPath, cache).catch(() => null)
      if (kept === null) throw located.error
      return kept
    }
    const { found, remoteURL } = located
    if (found === 'absent') return handleError(404, remoteURL, fatal)
    const response = fileResponse(FileResponse, found)
    // transformers.js asks a cache of another class by the full URL.
    const served = {
      match: async (name: string) => (name === remoteURL ? response : undefined),
      put: async () => undefined,
    }
    return load(id, filename, fatal, options, asPath, served)
  }

  _get_file_metadata = async (id, filename, options = {}) => {
    const located = await locate(id, filename, options ?? {}, true).catch(failure)
    if (located === undefined) return probe(id, filename, options)
    if ('error' in located) {
      const kept = await probe(id, filename, { ...options, ...KEPT })
      if (!kept.exists) throw located.error
      return kept
    }
    if (located.found === 'absent') return { exists: false, fromCache: false }
    return { exists: true, size: located.found.size, contentType: 'application/octet-stream', fromCache: true }
  }

  const bridge = (): Bridge | undefined => Reflect.get(process, Symbol.for('vitest-model-cache.intercept'))

  // A response of transformers.js reads the whole file into memory, also where only its path or its size is used.
  if (typeof getFile === 'function') {
    const open = getFile
    getFile = async (address) => {
      const size = typeof address === 'string' ? bridge()?.sizeOf(address) : undefined
      return size === undefined ? open(address) : fileResponse(FileResponse, { file: String(address), size })
    }
  }

  if (typeof createInferenceSession === 'function') {
    const create = createInferenceSession
    createInferenceSession = async (model, options, ...rest) => {
      const open: CreateSession = (path, ...args) => {
        const created = create(path, ...args, ...rest)
        // In a window, transformers.js creates a session after the one before, and none after one that failed.
        if (path !== model && typeof webInitChain === 'object')
          created.catch(() => {
            webInitChain = webInitChain.catch(() => undefined)
          })
        return created
      }
      const version = typeof ONNX === 'object' ? ONNX?.env?.versions?.node : undefined
      const runs = typeof InferenceSession === 'function' ? InferenceSession.create : undefined
      return bridge()?.createSession({ model, options, version, runs }, open) ?? open(model, options)
    }
  }
}

const MARK = '/* vitest-model-cache */'
const SOURCE = `\n;${MARK}(${attachToTransformers})(${located.locateFile}, ${located.fileResponse});\n`

export = { MARK, SOURCE }
