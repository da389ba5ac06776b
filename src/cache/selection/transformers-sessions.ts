import type { Selection } from '../../model/selection.ts'

/** The fields of a repo's `config.json`. The file comes from outside, so a field can have any value. */
export type RepoConfig = Record<string, unknown>

/** What transformers.js loads for a task. */
export interface Sessions {
  /** The base names of the ONNX files, without dtype and extension. */
  sessions: string[]
  /** True when `generation_config.json` is loaded too. */
  generates: boolean
}

/** A kind of model, recognized by the ONNX files of its repo. */
interface Family {
  /** The files that a repo of this kind must have. */
  needs: string[]
  /** The files that are loaded if the repo has them. */
  takes: string[]
  generates: boolean
}

// transformers.js 4.3.1, src/models/session_config.js: the ONNX files of each kind of model. There the kind follows from a table of
// architectures. Here it follows from the files of the repo, so that a new architecture needs no new version of this package. The
// first family whose needed files are all in the repo applies.
const FAMILIES: Family[] = [
  {
    needs: ['prepare_inputs_embeds', 'language_model', 'lm_head'],
    takes: ['prepare_inputs_embeds', 'language_model', 'lm_head', 'gen_head', 'gen_img_embeds', 'image_decode'],
    generates: true,
  },
  family(['prepare_inputs_embeds', 'model'], ['vision_encoder']),
  family(['embed_tokens', 'language_model', 'conditional_decoder'], ['speech_encoder']),
  { ...family(['text_encoder', 'latent_denoiser', 'voice_decoder']), generates: false },
  family(['text_encoder', 'decoder_model_merged', 'encodec_decode']),
  family(['embed_tokens', 'decoder_model_merged'], ['vision_encoder', 'audio_encoder']),
  { ...family(['vision_encoder', 'prompt_encoder_mask_decoder']), generates: false },
  family(['encoder_model', 'decoder_model_merged']),
  { ...family(['encoder_model', 'decoder_model']), generates: false },
]

/** The ONNX files that transformers.js opens for a task; `task` is empty if unknown. `names`: the base names of the repo's ONNX files. */
export function sessionsOf(names: Set<string>, config: RepoConfig, task: string, selection: Selection): Sessions {
  const found = FAMILIES.find(({ needs }) => needs.every((name) => names.has(name)))
  if (found && !(names.has('model') && isSingle(found, config))) {
    const taken = found.takes.filter((name) => names.has(name) && !(isTextOnly(found, task) && isMediaEncoder(name)))
    if (found.needs.includes('embed_tokens') && config.is_encoder_decoder && names.has('encoder_model'))
      taken.push('encoder_model')
    return { sessions: taken, generates: found.generates }
  }
  if (!names.has('model') && names.has('decoder_model_merged') && selection.modelFileName === undefined)
    return { sessions: ['decoder_model_merged'], generates: true }
  const mediaEncoders = [
    ...(config.vision_config ? ['vision_encoder'] : []),
    ...(config.audio_config ? ['audio_encoder'] : []),
  ].filter((name) => names.has(name))
  // `modelFileName` applies only to a model with a single session. transformers.js ignores it for other models.
  return {
    sessions: [selection.modelFileName ?? 'model', ...mediaEncoders],
    generates: ['', 'text-generation'].includes(task),
  }
}

function family(needs: string[], more: string[] = []): Family {
  return { needs, takes: [...needs, ...more], generates: true }
}

/** True when the architecture loads the file `model`, although the repo also has an encoder and a decoder. */
function isSingle({ needs }: Family, config: RepoConfig): boolean {
  if (!needs.includes('encoder_model')) return false
  const architecture: unknown = Array.isArray(config.architectures) ? config.architectures[0] : undefined
  return (
    config.is_encoder_decoder === false ||
    (typeof architecture === 'string' &&
      /For(SequenceClassification|TokenClassification|QuestionAnswering)$/.test(architecture))
  )
}

/** True for `text-generation`, which loads only the sessions for text (session_config.js, `text_only_sessions`). */
function isTextOnly({ needs }: Family, task: string): boolean {
  return task === 'text-generation' && needs.includes('embed_tokens')
}

function isMediaEncoder(name: string): boolean {
  return ['vision_encoder', 'audio_encoder', 'speech_encoder'].includes(name)
}

/** Parses a `config.json`. Returns an empty config when it is no JSON object: the runtime that loads the model reports that. */
export function parseRepoConfig(text: string): RepoConfig {
  try {
    const config: unknown = JSON.parse(text)
    return isObject(config) ? config : {}
  } catch {
    return {}
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An own field of the object, and never an inherited one: a repo could have a file named `constructor`. */
export function ownField(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
