import { parseHubUrl } from '../../../intercept/hub-url.ts'
import { type Fields, isObject, isText } from '../../../model/json.ts'
import { type Model, modelLabel, parseModel } from '../../../model/model.ts'
import type { Selection } from '../../../model/selection.ts'
import { isTask } from '../../../model/task.ts'
import { onnxruntimeProvider } from '../../../providers/onnxruntime.ts'
import { Argument, MORE, UNKNOWN } from './plain-values.ts'

/** What one call loads. */
export interface Loaded {
  /** The model, if its files follow from the call. */
  model?: Model
  /** The id of the model, if its files do not follow from the call. */
  id?: string
  /** True if it can't be known which model it is. */
  isOpen?: boolean
  /** The function whose argument decides which model it is: see `functionKey`. */
  argumentOf?: string
}

const TRANSCRIPTION = 'automatic-speech-recognition'

/** The classes of transformers.js that load weights, by the end of their names, and a task that loads the same files. */
const TASKS_OF_CLASSES: [RegExp, string][] = [
  [/ForCausalLM$/, 'text-generation'],
  [/ForSpeechSeq2Seq$|^Whisper/, TRANSCRIPTION],
  [/ForSeq2SeqLM$|ForConditionalGeneration$/, 'text2text-generation'],
  [/ForSequenceClassification$/, 'text-classification'],
  [/ForTokenClassification$/, 'token-classification'],
  [/ForQuestionAnswering$/, 'question-answering'],
  [/ForMaskedLM$/, 'fill-mask'],
  [/ForImageClassification$/, 'image-classification'],
  [/ForObjectDetection$/, 'object-detection'],
  [/Model/, 'feature-extraction'],
]
/** The classes that load no weights, and their files. */
const FILES_OF_CLASSES: [RegExp, Pick<Selection, 'files' | 'optional'>][] = [
  [/Tokenizer(Fast)?$/, { files: ['tokenizer*.json'], optional: ['config.json', 'chat_template.jinja'] }],
  [
    /(Processor|FeatureExtractor)$/,
    { files: ['*processor_config.json'], optional: ['config.json', 'tokenizer*.json'] },
  ],
  [/Config$/, { files: ['config.json'] }],
]

/** The fields of a model as users write it. */
type Spec = Record<string, unknown>

/**
 * What a call of a known loader loads, by the values of its arguments. Empty for a call that loads no model. `bases`: the addresses of
 * Hubs. Pure.
 */
export function modelOfCall(loader: string, args: unknown[], bases: readonly string[]): Loaded {
  const [first, second, third] = args
  switch (loader) {
    case 'pipeline':
      // Node.js has a `pipeline` for streams, which has no task.
      return isText(first) && isTask(first) ? byReference(second, third, { task: first }) : {}
    case 'models.pipeline':
      return isText(first) && isTask(first) ? bySpec(second, third, { task: first }) : unknownOf(first)
    case 'models.transcriber':
      return bySpec(first, second, { task: TRANSCRIPTION })
    case 'models.session':
      return isText(second) ? ofSession(first, second) : unknownOf(second)
    case 'models.file':
      return isText(second) ? bySpec(withoutSelection(first), {}, { files: second }) : unknownOf(second)
    case 'models.path':
      return bySpec(first, {}, {})
    case 'downloadFile':
    case 'snapshotDownload':
      return ofHubClient(loader, first)
    case 'fetch':
      return isText(first) && isGet(second) ? ofAddress(first, bases) : {}
    default:
      return loader.endsWith('from_pretrained') ? ofClass(loader.split('.').at(-2) ?? '', first, second) : {}
  }
}

/** A model that transformers.js is asked for: by an id, with the revision and the dtype in the options. */
function byReference(id: unknown, options: unknown, chosen: Spec): Loaded {
  if (!isText(id)) return unknownOf(id)
  return isField(options, 'local_files_only', true) ? {} : stated({ repo: id }, options, chosen)
}

/** A model that `models` is asked for: by a text or an object. */
function bySpec(spec: unknown, options: unknown, chosen: Spec): Loaded {
  if (isText(spec)) return stated({ repo: spec }, options, chosen)
  if (!isPlain(spec) || !isText(spec.repo)) return unknownOf(isPlain(spec) ? spec.repo : spec)
  return stated(spec, options, chosen)
}

/** `spec` goes before the options, and these before what all such calls choose. */
function stated(spec: Spec, options: unknown, chosen: Spec): Loaded {
  const id = spec.repo
  if (!isText(id)) return unknownOf(id)
  const fields = fieldsOf(options)
  const all = { ...chosen, ...fields, ...definedIn(spec) }
  if (fields === undefined || !isKnown(all)) return { id }
  return loaded(all)
}

/** The options of transformers.js, as fields of a model. Undefined if they are not known. */
function fieldsOf(options: unknown): Spec | undefined {
  if (options === undefined) return {}
  if (!isPlain(options)) return undefined
  const { revision, dtype, subfolder, model_file_name: modelFileName } = options
  const more = MORE in options ? { more: UNKNOWN } : {}
  return definedIn({ revision, dtype, subfolder, modelFileName, ...(dtype === undefined && more) })
}

function ofSession(spec: unknown, file: string): Loaded {
  const found = bySpec(spec, {}, {})
  const selection = found.model && onnxruntimeProvider.selection?.({ file }, found.model)
  return found.model
    ? { model: { ...found.model, selection: { ...selection, ...definedIn({ ...found.model.selection }) } } }
    : found
}

function ofClass(name: string, id: unknown, options: unknown): Loaded {
  const files = FILES_OF_CLASSES.find(([pattern]) => pattern.test(name))?.[1]
  const task = TASKS_OF_CLASSES.find(([pattern]) => pattern.test(name))?.[1]
  if (files) {
    const found = byReference(id, { revision: isPlain(options) ? options.revision : undefined }, {})
    return found.model ? { model: { ...found.model, selection: files } } : found
  }
  const found = byReference(id, options, { task })
  // The files of a class that is not known can't be told.
  return task === undefined && found.model ? { id: modelLabel(found.model) } : found
}

/** `downloadFile` and `snapshotDownload` of @huggingface/hub. */
function ofHubClient(loader: string, params: unknown): Loaded {
  if (!isPlain(params)) return unknownOf(params)
  const { repo, revision, path } = params
  const id = isPlain(repo) ? (repo.type === 'model' ? repo.name : undefined) : repo
  if (!isText(id)) return unknownOf(id)
  // Datasets and spaces are no models.
  if (/^(datasets|spaces)\//.test(id)) return {}
  const found = stated({ repo: id }, { revision }, {})
  if (!found.model || (loader === 'downloadFile' && !isText(path))) return { id }
  return { model: { ...found.model, selection: isText(path) ? { paths: [path] } : { files: ['**'] } } }
}

/** True for the options of a request that asks for the whole file. */
function isGet(options: unknown): boolean {
  if (options === undefined) return true
  return isPlain(options) && !(MORE in options) && [undefined, 'GET'].some((method) => method === options.method)
}

function ofAddress(url: string, bases: readonly string[]): Loaded {
  const read = parseHubUrl(url, bases)
  if (read?.kind !== 'file') return {}
  const { repo, revision, path } = read
  return { model: { repo, revision, selection: { paths: [path] }, pin: false } }
}

function loaded(spec: Spec): Loaded {
  try {
    const model = parseModel(definedIn(spec))
    return { model: { ...model, pin: false } }
  } catch {
    // It is a path, or nothing that the Hub could have. The test that asks for it gets the error.
    return {}
  }
}

function unknownOf(value: unknown): Loaded {
  if (value instanceof Argument) return { argumentOf: value.of }
  return value === UNKNOWN || isPlain(value) ? { isOpen: true } : {}
}

function withoutSelection(spec: unknown): unknown {
  return isPlain(spec) ? { repo: spec.repo, revision: spec.revision } : spec
}

function definedIn(fields: Spec): Spec {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** True if the object has no unknown value, at any depth. */
function isKnown(value: unknown): boolean {
  if (value === UNKNOWN || value instanceof Argument) return false
  return !isPlain(value) || Object.values(value).every(isKnown)
}

/** True for an object whose fields are known. */
function isPlain(value: unknown): value is Fields {
  return isObject(value) && !(value instanceof Argument)
}

function isField(object: unknown, key: string, value: unknown): boolean {
  return isPlain(object) && object[key] === value
}
