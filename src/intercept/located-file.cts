// Functions that become part of transformers.js's own source, as text. Each uses nothing outside its own body.
interface Hit {
  file: string
  size: number
}

interface Bridge {
  exists(path: string): boolean
  locate(url: string, options: object): Promise<Hit | 'absent' | undefined>
}

interface Environment {
  allowLocalModels: boolean
  allowRemoteModels: boolean
}

interface Asked {
  localPath: string
  remoteURL: string
  options: { local_files_only?: boolean }
  isProbe: boolean
}

/** Undefined where transformers.js has to look itself: there is no bridge, or the file is a local model's. */
async function locateFile(
  env: Environment,
  { localPath, remoteURL, options, isProbe }: Asked,
): Promise<Hit | 'absent' | undefined> {
  const bridge: Bridge | undefined = Reflect.get(process, Symbol.for('vitest-model-cache.intercept'))
  if (bridge === undefined) return undefined
  if (env.allowLocalModels && bridge.exists(localPath)) return undefined
  const { HF_TOKEN, HF_ACCESS_TOKEN } = process.env
  const isLocalOnly = options.local_files_only === true || !env.allowRemoteModels
  return bridge.locate(remoteURL, { token: HF_TOKEN ?? HF_ACCESS_TOKEN, isLocalOnly, isProbe })
}

interface FileResponseClass<T> {
  new (path: string): T
  prototype: { updateContentType?(): void }
}

/** A response that reads the file when its body is first used. The constructor would read it at once. */
function fileResponse<T extends object>(FileResponse: FileResponseClass<T>, { file, size }: Hit): T {
  const response = Object.create(FileResponse.prototype)
  Object.assign(response, { filePath: file, exists: true, status: 200, statusText: 'OK' })
  // transformers.js 2 keeps this map on each instance, and reads it in `updateContentType`.
  response._CONTENT_TYPE_MAP = { json: 'application/json', txt: 'text/plain' }
  response.headers = new Headers({ 'content-length': String(size) })
  FileResponse.prototype.updateContentType?.call(response)
  return Object.defineProperty(response, 'body', { get: () => Reflect.get(new FileResponse(file), 'body') })
}

export = { locateFile, fileResponse }
