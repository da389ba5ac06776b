import type { Node } from '@babel/types'
import { type Fields, isObject, isText } from '../../../model/json.ts'
import { type Model, modelLabel, parseModel } from '../../../model/model.ts'
import type { Selection } from '../../../model/selection.ts'
import { isTask } from '../../../model/task.ts'
import { onnxruntimeProvider } from '../../../providers/onnxruntime.ts'
import { isPlain, isWhollyKnown, MORE, Unknown } from './values.ts'

/** What one call loads. Empty if it loads no model. */
export interface Loaded {
  /** The model, if its files follow from the call. */
  model?: Model
  /** The id of the model, if its files do not follow from the call. */
  id?: string
  /** True if it can't be known which model it is. */
  isOpen?: boolean
  /** The function whose argument decides which model it is. */
  parameterOf?: Node
}

/** The packages of transformers.js. */
export const TRANSFORMERS = /^@(huggingface|xenova)\/transformers$/

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

/** What a call of a known loader loads, by the values of its arguments. Pure. */
export function modelOfCall(loader: string, args: unknown[]): Loaded {
  const [first, second, third] = args
  switch (loader) {
    case 'pipeline':
      // Node.js has a `pipeline` for streams, which has no task.
      return isText(first) && isTask(first) ? byReference(second, third, { task: first }) : {}
    case 'models.pipeline':
      return isText(first) && isTask(first) ? stated(second, third, { task: first }) : unknownOf(first)
    case 'models.transcriber':
      return stated(first, second, { task: TRANSCRIPTION })
    case 'models.session':
      return isText(second) ? ofSession(first, second) : unknownOf(second)
    case 'models.file':
      return isText(second) ? selected(stated(reference(first), {}), { files: [second] }) : unknownOf(second)
    case 'models.path':
      return stated(first, {})
    default:
      return ofClass(loader.split('.')[0] ?? '', first, second)
  }
}

/** A model that transformers.js is asked for: by an id, with the revision and the dtype in the options. */
function byReference(id: unknown, options: unknown, chosen: Fields): Loaded {
  if (!isText(id)) return unknownOf(id)
  return isPlain(options) && options.local_files_only === true ? {} : stated(id, options, chosen)
}

/** `spec`, a text or an object, goes before the options, and these before what all such calls choose. */
function stated(spec: unknown, options: unknown, chosen: Fields = {}): Loaded {
  const fields: Fields = isText(spec) ? { repo: spec } : isPlain(spec) ? spec : {}
  const { repo } = fields
  if (!isText(repo)) return unknownOf(isPlain(spec) ? repo : spec)
  if (options !== undefined && !isPlain(options)) return { id: repo }
  const { revision, dtype, subfolder, model_file_name: modelFileName, [MORE]: more } = options ?? {}
  const read = { revision, dtype, subfolder, modelFileName, ...(dtype === undefined && { more }) }
  const all = { ...chosen, ...definedIn(read), ...definedIn(fields) }
  if (!isWhollyKnown(all)) return { id: repo }
  try {
    return { model: { ...parseModel(all), pin: false } }
  } catch {
    // It is a path, or nothing that the Hub could have. The test that asks for it gets the error.
    return {}
  }
}

function selected(found: Loaded, selection: Selection | undefined): Loaded {
  return found.model ? { model: { ...found.model, selection: { ...found.model.selection, ...selection } } } : found
}

function ofSession(spec: unknown, file: string): Loaded {
  const found = stated(spec, {})
  const { selection } = found.model ?? {}
  const ofFile = found.model && onnxruntimeProvider.selection?.({ file }, found.model)
  return selected(found, selection && { ...ofFile, ...definedIn({ ...selection }) })
}

function ofClass(name: string, id: unknown, options: unknown): Loaded {
  const [, files] = FILES_OF_CLASSES.find(([pattern]) => pattern.test(name)) ?? []
  if (files) return selected(byReference(id, isPlain(options) ? { revision: options.revision } : {}, {}), files)
  const [, task] = TASKS_OF_CLASSES.find(([pattern]) => pattern.test(name)) ?? []
  const found = byReference(id, options, { task })
  // The files of a class that is not known can't be told.
  return task === undefined && found.model ? { id: modelLabel(found.model) } : found
}

function unknownOf(value: unknown): Loaded {
  if (value instanceof Unknown && value.of.parameterOf) return { parameterOf: value.of.parameterOf }
  return isObject(value) ? { isOpen: true } : {}
}

function reference(spec: unknown): unknown {
  return isPlain(spec) ? { repo: spec.repo, revision: spec.revision } : spec
}

function definedIn(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
