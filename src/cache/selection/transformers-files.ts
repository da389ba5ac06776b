import { ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { DTYPES, type Dtype, type DtypeChoice, isDtype, type Selection } from '../../model/selection.ts'
import { canonicalTask } from '../../model/task.ts'
import type { Tree } from '../../model/tree.ts'
import { isObject, ownField, type RepoConfig, sessionsOf } from './transformers-sessions.ts'

// transformers.js 4.3.1, src/utils/dtypes.js: DEFAULT_DTYPE_SUFFIX_MAPPING; `auto` and unset are fp32 in Node.js.
const SUFFIXES = new Map<Dtype, string>(DTYPES.map((dtype) => [dtype, `_${dtype}`]))
  .set('auto', '')
  .set('fp32', '')
  .set('q8', '_quantized')

// src/utils/hub/constants.js
const MAX_EXTERNAL_DATA_CHUNKS = 100

// transformers.js 4.3.1, src/pipelines/index.js: the `type` of each of SUPPORTED_TASKS decides whether a tokenizer and a
// processor are loaded. `text` tasks need no processor, `audio` and `image` tasks need no tokenizer. All other tasks are
// `multimodal`: both are loaded if the repo has them.
const TEXT_TASKS = new Set([
  'text-classification',
  'token-classification',
  'question-answering',
  'fill-mask',
  'summarization',
  'translation',
  'text2text-generation',
  'text-generation',
  'zero-shot-classification',
  'text-to-audio',
  'feature-extraction',
])
const MEDIA_TASKS = new Set([
  'audio-classification',
  'background-removal',
  'image-to-image',
  'depth-estimation',
  'image-feature-extraction',
])

/** True when the repo has the files that `pipeline()` of transformers.js loads: a config and ONNX files in `onnx/`. */
export function isTransformersRepo(tree: Tree): boolean {
  const paths = [...tree.keys()].map(String)
  return paths.includes('config.json') && paths.some((path) => /^onnx\/[^/]+\.onnx$/.test(path))
}

/**
 * Exactly the files that `pipeline(task)` of transformers.js loads from the repo, including optional files that the repo has. Throws
 * `FILE_NOT_FOUND` when the repo has no weights of the dtype; the message names the dtypes that it has.
 */
export function transformersFiles(
  tree: Tree,
  config: RepoConfig,
  selection: Selection & { task: string },
  asked: string,
): HubPath[] {
  const task = canonicalTask(selection.task)
  const has = new Map([...tree.keys()].map((path) => [String(path), path]))
  const existing = (names: string[]) => names.flatMap((name) => has.get(name) ?? [])
  const files = existing(['config.json'])
  if (!MEDIA_TASKS.has(task) && has.has('tokenizer_config.json'))
    files.push(...existing(['tokenizer.json', 'tokenizer_config.json']))
  if (!TEXT_TASKS.has(task) && has.has('preprocessor_config.json'))
    files.push(...existing(['preprocessor_config.json', 'processor_config.json', 'chat_template.jinja']))

  const folder = selection.subfolder ?? 'onnx'
  const prefix = folder === '' ? '' : `${folder}/`
  const onnxFiles = onnxFilesIn(has, prefix)
  const { sessions, generates } = sessionsOf(new Set(onnxFiles.map(({ base }) => base)), config, task, selection)
  if (generates) files.push(...existing(['generation_config.json']))
  const { dtype, use_external_data_format } = ownSettings(config)
  const externalFormat = selection.externalData ?? use_external_data_format
  for (const session of sessions) {
    const file = `${session}${suffixOf(session, selection.dtype, dtype)}.onnx`
    const weights = has.get(prefix + file)
    if (weights === undefined) throw noWeights(onnxFiles, session, prefix + file, asked)
    files.push(weights, ...existing(externalData(file, session, externalFormat).map((name) => prefix + name)))
  }
  return files
}

/** The ONNX files of the folder, each with its base name and its dtype. */
function onnxFilesIn(has: Map<string, HubPath>, prefix: string): { base: string; dtype: Dtype }[] {
  return [...has.keys()].flatMap((path) => weightsOf(path, prefix) ?? [])
}

/** The base name and the dtype in the name of an ONNX file. Undefined for a path that is no ONNX file in the folder `prefix`. */
export function weightsOf(path: string, prefix = 'onnx/'): { base: string; dtype: Dtype } | undefined {
  const name = path.startsWith(prefix) && path.endsWith('.onnx') ? path.slice(prefix.length, -5) : '/'
  if (name.includes('/')) return undefined
  const found = [...SUFFIXES].find(([, suffix]) => suffix !== '' && name.endsWith(suffix))
  return found ? { base: name.slice(0, -found[1].length), dtype: found[0] } : { base: name, dtype: 'fp32' }
}

function suffixOf(session: string, chosen: DtypeChoice | undefined, own: unknown): string {
  const pick = (choice: unknown) => (isObject(choice) ? ownField(choice, session) : choice)
  const dtype = pick(chosen ?? own)
  const meant = dtype === 'auto' ? pick(own) : dtype
  return (isDtype(meant) && SUFFIXES.get(meant)) || ''
}

/**
 * The names of the external data files of an ONNX file: `<file>_data`, `<file>_data_1`... As in transformers.js, src/utils/model-loader.js,
 * resolveExternalDataFormat and getExternalDataChunkNames.
 */
function externalData(file: string, session: string, format: unknown): string[] {
  const chosen = isObject(format) ? (ownField(format, file) ?? ownField(format, session)) : format
  const chunks = typeof chosen === 'object' ? 0 : Math.min(Number(chosen) || 0, MAX_EXTERNAL_DATA_CHUNKS)
  return Array.from({ length: chunks }, (_, index) => `${file}_data${index === 0 ? '' : `_${index}`}`)
}

/** The repo's `transformers.js_config` for the device `cpu`, which is the default in Node.js. */
function ownSettings(config: RepoConfig): Record<string, unknown> {
  const own = config['transformers.js_config']
  if (!isObject(own)) return {}
  const devices = own.device_config
  const cpu = isObject(devices) ? ownField(devices, 'cpu') : undefined
  return { ...own, ...(isObject(cpu) && cpu) }
}

function noWeights(onnxFiles: { base: string; dtype: string }[], session: string, file: string, asked: string) {
  const dtypes = onnxFiles.flatMap(({ base, dtype }) => (base === session ? [dtype] : []))
  return new ModelCacheError({
    code: 'FILE_NOT_FOUND',
    asked,
    reason: `The repo has no file \`${file}\`.`,
    nextStep:
      dtypes.length > 0
        ? `It has weights for ${dtypes.join(', ')}: set \`dtype\` to one of them.`
        : 'Check the task, or name the files that you need with `files`.',
  })
}
