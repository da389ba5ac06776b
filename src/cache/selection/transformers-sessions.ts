import type { Selection } from '../../model/selection.ts'

/** A repo's `config.json`. It came from outside: any field may hold anything. */
export type RepoConfig = Record<string, unknown>

export interface Sessions {
  /** The base names of the ONNX files, without dtype and ending. */
  sessions: string[]
  /** True when `generation_config.json` is loaded too. */
  generates: boolean
}

interface Family {
  /** The repo has all of these. */
  needs: string[]
  /** These are loaded, of those that it has. */
  takes: string[]
  generates: boolean
}

// transformers.js 4.3.1, src/models/session_config.js: the ONNX files of each kind of model. There the kind follows from
// a table of architectures; here from which files the repo has, so that a new architecture needs no new version of ours.
// The first family of which the repo has all files is it.
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

/** Which ONNX files transformers.js opens for a task (empty: unknown), of those that the repo has by their base names. */
export function sessionsOf(names: Set<string>, config: RepoConfig, task: string, selection: Selection): Sessions {
  const found = FAMILIES.find(({ needs }) => needs.every((name) => names.has(name)))
  if (found && !(names.has('model') && isSingle(found, config))) {
    const taken = found.takes.filter((name) => names.has(name) && !(isTextOnly(found, task) && isSense(name)))
    if (found.needs.includes('embed_tokens') && config.is_encoder_decoder && names.has('encoder_model'))
      taken.push('encoder_model')
    return { sessions: taken, generates: found.generates }
  }
  if (!names.has('model') && names.has('decoder_model_merged') && selection.modelFileName === undefined)
    return { sessions: ['decoder_model_merged'], generates: true }
  const senses = [
    ...(config.vision_config ? ['vision_encoder'] : []),
    ...(config.audio_config ? ['audio_encoder'] : []),
  ].filter((name) => names.has(name))
  // Only a model of one session can be named otherwise; the library ignores the option for the others.
  return {
    sessions: [selection.modelFileName ?? 'model', ...senses],
    generates: ['', 'text-generation'].includes(task),
  }
}

function family(needs: string[], more: string[] = []): Family {
  return { needs, takes: [...needs, ...more], generates: true }
}

/** A repo may hold an encoder and a decoder beside a `model` that is what its architecture runs. */
function isSingle({ needs }: Family, config: RepoConfig): boolean {
  if (!needs.includes('encoder_model')) return false
  const architecture: unknown = Array.isArray(config.architectures) ? config.architectures[0] : undefined
  return (
    config.is_encoder_decoder === false ||
    (typeof architecture === 'string' &&
      /For(SequenceClassification|TokenClassification|QuestionAnswering)$/.test(architecture))
  )
}

/** `text-generation` loads only what reads text (session_config.js, `text_only_sessions`). */
function isTextOnly({ needs }: Family, task: string): boolean {
  return task === 'text-generation' && needs.includes('embed_tokens')
}

function isSense(name: string): boolean {
  return ['vision_encoder', 'audio_encoder', 'speech_encoder'].includes(name)
}

/** Reads a `config.json`. One that is no JSON object says nothing; whoever loads the model will say so. */
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

/** A field of the object's own: a repo may name one `constructor`. */
export function ownField(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
