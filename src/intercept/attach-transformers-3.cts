// Changes the source of transformers.js 2.5 to 3.8. There one function of the bundle reads all files of models. It now asks the
// bridge before its own cache, and opens the cached file itself. Its own cache writes files under their final names, so another
// worker may read half a file there.
import located = require('./located-file.cts')

type LocateFile = typeof located.locateFile
type FileResponseOf = typeof located.fileResponse

interface Asked {
  id: string
  cache: unknown
  FileCache: { new (path: string): object }
  FileResponse: Parameters<FileResponseOf>[0]
  env: Parameters<LocateFile>[0]
  localPath: string
  remoteURL: string
  options: { local_files_only?: boolean } | null
}

type Located = { response: object } | { error: unknown } | 'absent' | undefined

/** Becomes a part of the source, at its end. So it uses nothing outside its own body. */
async function locateModelFile(locateFile: LocateFile, responseOf: FileResponseOf, asked: Asked): Promise<Located> {
  const { id, cache, FileCache, FileResponse, env, localPath, remoteURL, options } = asked
  const isOwnCache = cache === undefined || cache === null || cache instanceof FileCache
  // Versions 3.5 and later tell an id from a path like this.
  const isModelId = /^(\b[\w\-.]+\b\/)?\b[\w\-.]{1,96}\b$/.test(id) && !id.includes('..')
  if (!isOwnCache || !isModelId) return undefined
  try {
    const found = await locateFile(env, { localPath, remoteURL, options: options ?? {}, isProbe: false })
    return typeof found === 'object' ? { response: responseOf(FileResponse, found) } : found
  } catch (error) {
    return { error }
  }
}

const NAME = '__vitestModelCacheLocate'
const FOUND = '__vitestModelCacheFound'
const LOOK = /if \(cache\) \{(?:\s*\/\/.*)*\s*response = await tryCache\(cache, localPath, proposedCacheKey\);\s*\}/
// The added lines use these names. They have to be declared between the head of the function and the place of the lines.
const FUNCTION = 'async function getModelFile(path_or_repo_id, filename, fatal = true, options = {}'
const NAMES = [/\blet cache;/, /\b(?:let|const) localPath = /, /\blet response;/]
const ENV = /\b(?:let|const) remoteURL = pathJoin\(\s*([\w$.]+)\.remoteHost,/
const OUTSIDE = ['class FileCache {', 'class FileResponse {', 'function handleError(status, remoteURL, fatal) {']

/** Returns the changed source. Undefined where a name is missing: then the source stays unchanged. */
function attachToFormer(source: string): string | undefined {
  const start = source.indexOf(FUNCTION)
  const look = start === -1 ? null : LOOK.exec(source.slice(start))
  if (look === null || OUTSIDE.some((text) => !source.includes(text))) return undefined
  const head = source.slice(start, start + look.index)
  const env = ENV.exec(head)?.[1]
  if (env === undefined || NAMES.some((name) => !name.test(head))) return undefined
  const asked = `{ id: path_or_repo_id, cache, FileCache, FileResponse, env: ${env}, localPath, remoteURL, options }`
  // Added without a line break, so that the lines keep their numbers.
  const before =
    `const ${FOUND} = await ${NAME}(${asked}); ` +
    `if (${FOUND} === 'absent') return handleError(404, remoteURL, fatal); ` +
    `response = ${FOUND}?.response; if (response === undefined) `
  const after = ` if (response === undefined && ${FOUND}) throw ${FOUND}.error;`
  const at = start + look.index
  const helper =
    `\n;async function ${NAME}(asked) { ` +
    `return (${locateModelFile})(${located.locateFile}, ${located.fileResponse}, asked) }\n`
  return source.slice(0, at) + before + look[0] + after + source.slice(at + look[0].length) + helper
}

export = { attachToFormer }
