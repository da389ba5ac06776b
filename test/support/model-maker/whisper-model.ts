import { type MadeModel, writeModelFolder } from './model-folder.ts'
import { encodeModel } from './onnx-proto.ts'
import { decoderGraph, type NextTokens } from './whisper-decoder.ts'
import { encoderGraph } from './whisper-encoder.ts'
import {
  MAX_TARGET_POSITIONS,
  WHISPER_SIZES,
  WHISPER_SOUND,
  type WhisperShape,
  type WhisperSize,
} from './whisper-shape.ts'
import { type WhisperTokens, whisperTokenizerFiles, whisperTokens, wordToken } from './whisper-tokenizer.ts'

export interface WhisperModelOptions {
  /** Another seed gives other bytes but the same transcripts (default 1). */
  seed?: number
  /** How many transformer layers it has, and of what size (default 'bare'). The transcripts do not depend on it. */
  size?: WhisperSize
}

export interface WhisperModel extends MadeModel {
  /** The `text` that `pipeline('automatic-speech-recognition', directory)` returns. As with Whisper, it starts with a space. */
  readonly transcripts: { readonly sound: string; readonly silence: string }
}

// A transcript must not repeat a word, because the decoder finds the next word by the last one. It needs at least two words:
// where chunks of a long audio overlap, `findLongestCommonSequence` of transformers.js does not merge a single word.
const SOUND = ['hello', 'from', 'the', 'model', 'cache']
const SILENCE = ['only', 'silence']

/** Writes an English-only, Whisper-shaped model, which distinguishes sound from silence. */
export async function makeWhisperModel(directory: string, options: WhisperModelOptions = {}): Promise<WhisperModel> {
  const { seed = 1, size = 'bare' } = options
  const shape: WhisperShape = WHISPER_SIZES[size]
  const tokens = whisperTokens([...SOUND, ...SILENCE])
  const made = await writeModelFolder(directory, {
    'README.md': MODEL_CARD,
    'config.json': { json: whisperConfig(tokens, shape) },
    'generation_config.json': { json: generationConfig(tokens) },
    'preprocessor_config.json': { json: preprocessorConfig() },
    ...whisperTokenizerFiles(tokens, MAX_TARGET_POSITIONS),
    'onnx/encoder_model.onnx': encodeModel(encoderGraph(shape, seed)),
    'onnx/decoder_model_merged.onnx': encodeModel(decoderGraph(nextTokens(tokens), tokens.noTimestamps, shape, seed)),
  })
  const transcripts = { sound: ` ${SOUND.join(' ')}`, silence: ` ${SILENCE.join(' ')}` }
  return { ...made, transcripts }
}

function nextTokens(tokens: WhisperTokens): NextTokens {
  const chain = (path: readonly number[]): number[] => {
    const next = tokens.all.map(() => tokens.endOfText)
    for (const [i, id] of path.entries()) next[id] = path[i + 1] ?? tokens.endOfText
    return next
  }
  const bothChains = (words: readonly string[]) => {
    const ids = words.map((word) => tokens.idOf(wordToken(word)))
    const { startOfTranscript, noTimestamps, idOf } = tokens
    return {
      plain: chain([startOfTranscript, noTimestamps, ...ids]),
      timed: chain([startOfTranscript, idOf('<|0.00|>'), ...ids, idOf('<|2.00|>')]),
    }
  }
  return { afterSound: bothChains(SOUND), afterSilence: bothChains(SILENCE) }
}

function whisperConfig(tokens: WhisperTokens, { layers, width, heads, inner }: WhisperShape): object {
  const { melBins, sourcePositions } = WHISPER_SOUND
  return {
    architectures: ['WhisperForConditionalGeneration'],
    model_type: 'whisper',
    is_encoder_decoder: true,
    activation_function: 'gelu',
    d_model: width,
    encoder_layers: Math.max(1, layers),
    encoder_attention_heads: heads,
    encoder_ffn_dim: inner,
    decoder_layers: layers + 1,
    decoder_attention_heads: heads,
    decoder_ffn_dim: inner,
    num_hidden_layers: layers + 1,
    num_mel_bins: melBins,
    max_source_positions: sourcePositions,
    max_target_positions: MAX_TARGET_POSITIONS,
    vocab_size: tokens.all.length,
    ...tokenRoles(tokens),
    use_cache: true,
  }
}

function generationConfig(tokens: WhisperTokens): object {
  return {
    ...tokenRoles(tokens),
    begin_suppress_tokens: [tokens.idOf('Ġ'), tokens.endOfText],
    is_multilingual: false,
    max_initial_timestamp_index: 1,
    max_length: MAX_TARGET_POSITIONS,
    no_timestamps_token_id: tokens.noTimestamps,
    return_timestamps: false,
    suppress_tokens: [],
  }
}

function tokenRoles({ startOfTranscript, endOfText }: WhisperTokens): object {
  return {
    bos_token_id: endOfText,
    decoder_start_token_id: startOfTranscript,
    eos_token_id: endOfText,
    pad_token_id: endOfText,
  }
}

/** As in https://huggingface.co/openai/whisper-tiny.en, without mel_filters: transformers.js computes them. */
function preprocessorConfig(): object {
  const { melBins, frames } = WHISPER_SOUND
  return {
    feature_extractor_type: 'WhisperFeatureExtractor',
    processor_class: 'WhisperProcessor',
    chunk_length: 30,
    feature_size: melBins,
    hop_length: 160,
    n_fft: 400,
    n_samples: 480_000,
    nb_max_frames: frames,
    padding_side: 'right',
    padding_value: 0,
    return_attention_mask: false,
    sampling_rate: 16_000,
  }
}

const MODEL_CARD = `---
library_name: transformers.js
pipeline_tag: automatic-speech-recognition
language: en
---

# A Whisper for tests

Made weights in the shape of a Whisper: it tells sound from silence.
`
