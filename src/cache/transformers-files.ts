import { ModelCacheError } from '../model/errors.ts'
import type { HubPath } from '../model/hub-path.ts'
import type { DtypeChoice, Selection } from '../model/selection.ts'
import { canonicalTask } from '../model/task.ts'
import type { Tree } from '../model/tree.ts'

/** The fields of a `config.json` that decide which files transformers.js loads. */
export interface TransformersConfig {
  is_encoder_decoder?: boolean
  vision_config?: unknown
  audio_config?: unknown
  'transformers.js_config'?: {
    dtype?: DtypeChoice
    use_external_data_format?: ExternalData | Record<string, ExternalData>
  }
}
type ExternalData = boolean | number

// transformers.js 4.3.1, src/utils/dtypes.js: DEFAULT_DTYPE_SUFFIX_MAPPING; `auto` and unset are fp32 in Node.js.
const SUFFIXES: Record<string, string> = {
  auto: '',
  fp32: '',
  q8: '_quantized',
  ...Object.fromEntries(
    ['fp16', 'int8', 'uint8', 'q4', 'q2', 'q1', 'q4f16', 'q2f16', 'q1f16', 'bnb4'].map((d) => [d, `_${d}`]),
  ),
}

// transformers.js 4.3.1, src/pipelines/index.js: the `type` of each of SUPPORTED_TASKS, which decides whether a
// tokenizer and a processor are loaded. What is not listed is `multimodal`: both, where the repo has them.
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
const SENSE_TASKS = new Set([
  'audio-classification',
  'background-removal',
  'image-to-image',
  'depth-estimation',
  'image-feature-extraction',
])

// transformers.js 4.3.1, src/models/session_config.js: the ONNX files of each kind of model. There the kind follows from
// a table of architectures; here from which files the repo has, so that a new architecture needs no new version of ours.
// The first family of which the repo has all files is it.
const FAMILIES: { needs: string[]; takes: string[] }[] = [
  {
    needs: ['prepare_inputs_embeds', 'language_model', 'lm_head'],
    takes: ['prepare_inputs_embeds', 'language_model', 'lm_head', 'gen_head', 'gen_img_embeds', 'image_decode'],
  },
  { needs: ['prepare_inputs_embeds', 'model'], takes: ['prepare_inputs_embeds', 'model', 'vision_encoder'] },
  {
    needs: ['embed_tokens', 'language_model', 'conditional_decoder'],
    takes: ['embed_tokens', 'speech_encoder', 'language_model', 'conditional_decoder'],
  },
  {
    needs: ['text_encoder', 'latent_denoiser', 'voice_decoder'],
    takes: ['text_encoder', 'latent_denoiser', 'voice_decoder'],
  },
  {
    needs: ['text_encoder', 'decoder_model_merged', 'encodec_decode'],
    takes: ['text_encoder', 'decoder_model_merged', 'encodec_decode'],
  },
  {
    needs: ['embed_tokens', 'decoder_model_merged'],
    takes: ['embed_tokens', 'decoder_model_merged', 'vision_encoder', 'audio_encoder'],
  },
  {
    needs: ['vision_encoder', 'prompt_encoder_mask_decoder'],
    takes: ['vision_encoder', 'prompt_encoder_mask_decoder'],
  },
  { needs: ['encoder_model', 'decoder_model_merged'], takes: ['encoder_model', 'decoder_model_merged'] },
  { needs: ['encoder_model', 'decoder_model'], takes: ['encoder_model', 'decoder_model'] },
]
const SENSES = ['vision_encoder', 'audio_encoder', 'speech_encoder']

/** True when the repo has what `pipeline()` of transformers.js loads: a config and ONNX files in `onnx/`. */
export function isTransformersRepo(tree: Tree): boolean {
  const paths = [...tree.keys()].map(String)
  return paths.includes('config.json') && paths.some((path) => /^onnx\/[^/]+\.onnx$/.test(path))
}

/**
 * Exactly the files that `pipeline(task)` of transformers.js loads from the repo, optional ones included where they
 * exist. Throws `FILE_NOT_FOUND` when the repo has no weights of the dtype, naming those that it has.
 */
export function transformersFiles(
  tree: Tree,
  config: TransformersConfig,
  selection: Selection & { task: string },
  asked: string,
): HubPath[] {
  const task = canonicalTask(selection.task)
  const has = new Map([...tree.keys()].map((path) => [String(path), path]))
  const existing = (names: string[]) => names.flatMap((name) => has.get(name) ?? [])
  const files = existing(['config.json'])
  if (!SENSE_TASKS.has(task) && has.has('tokenizer_config.json'))
    files.push(...existing(['tokenizer.json', 'tokenizer_config.json']))
  if (!TEXT_TASKS.has(task) && has.has('preprocessor_config.json'))
    files.push(...existing(['preprocessor_config.json', 'processor_config.json', 'chat_template.jinja']))

  const folder = selection.subfolder ?? 'onnx'
  const prefix = folder === '' ? '' : `${folder}/`
  const sessions = sessionsOf(has, prefix, config, task, selection.modelFileName)
  if (!sessions.every((name) => name === 'model')) files.push(...existing(['generation_config.json']))
  else if (task === 'text-generation') files.push(...existing(['generation_config.json']))
  for (const session of sessions) {
    const file = `${session}${suffixOf(session, selection.dtype, config)}.onnx`
    const weights = has.get(prefix + file)
    if (weights === undefined) throw noWeights(has, prefix, session, file, asked)
    files.push(weights, ...existing(externalData(file, session, config).map((name) => prefix + name)))
  }
  return files
}

function sessionsOf(
  has: Map<string, HubPath>,
  prefix: string,
  config: TransformersConfig,
  task: string,
  modelFileName?: string,
): string[] {
  if (modelFileName !== undefined) return [modelFileName]
  const names = new Set(baseNames(has, prefix).map(({ base }) => base))
  const family = FAMILIES.find(({ needs }) => needs.every((name) => names.has(name)))
  if (family && !(names.has('model') && config.is_encoder_decoder === false)) {
    const wanted = family.takes.filter((name) => names.has(name))
    if (config.is_encoder_decoder && names.has('encoder_model') && !wanted.includes('encoder_model'))
      wanted.push('encoder_model')
    return task === 'text-generation' ? wanted.filter((name) => !SENSES.includes(name)) : wanted
  }
  if (!names.has('model') && names.has('decoder_model_merged')) return ['decoder_model_merged']
  const senses = [
    ...(config.vision_config ? ['vision_encoder'] : []),
    ...(config.audio_config ? ['audio_encoder'] : []),
  ]
  return ['model', ...senses.filter((name) => names.has(name))]
}

function suffixOf(session: string, chosen: DtypeChoice | undefined, config: TransformersConfig): string {
  const own = config['transformers.js_config']?.dtype
  const pick = (choice: DtypeChoice | undefined) => (typeof choice === 'object' ? choice[session] : choice)
  const dtype = pick(chosen ?? own)
  return SUFFIXES[(dtype === 'auto' ? pick(own) : dtype) ?? 'fp32'] ?? ''
}

/** `<file>_data`, `<file>_data_1`...: src/utils/model-loader.js, resolveExternalDataFormat and getExternalDataChunkNames. */
function externalData(file: string, session: string, config: TransformersConfig): string[] {
  const format = config['transformers.js_config']?.use_external_data_format
  const chunks = Number((typeof format === 'object' ? (format[file] ?? format[session]) : format) ?? 0)
  return Array.from({ length: chunks }, (_, index) => `${file}_data${index === 0 ? '' : `_${index}`}`)
}

/** The ONNX files of the folder, each with its base name and its dtype. */
function baseNames(has: Map<string, HubPath>, prefix: string): { base: string; dtype: string }[] {
  const dtypes = Object.entries(SUFFIXES).filter(([, suffix]) => suffix !== '')
  return [...has.keys()].flatMap((path) => {
    const name = path.startsWith(prefix) && path.endsWith('.onnx') ? path.slice(prefix.length, -5) : '/'
    if (name.includes('/')) return []
    const found = dtypes.find(([, suffix]) => name.endsWith(suffix))
    return [found ? { base: name.slice(0, -found[1].length), dtype: found[0] } : { base: name, dtype: 'fp32' }]
  })
}

function noWeights(has: Map<string, HubPath>, prefix: string, session: string, file: string, asked: string) {
  const dtypes = baseNames(has, prefix).flatMap(({ base, dtype }) => (base === session ? [dtype] : []))
  return new ModelCacheError({
    code: 'FILE_NOT_FOUND',
    asked,
    reason: `The repo has no file \`${prefix}${file}\`.`,
    nextStep:
      dtypes.length > 0
        ? `Its weights come as ${dtypes.join(', ')}: set \`dtype\` to one of them.`
        : 'Check the task, or name the files that are wanted with `files`.',
  })
}
