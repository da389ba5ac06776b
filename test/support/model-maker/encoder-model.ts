import { bertTokenizerFiles, bertVocabulary, SPECIAL_TOKENS } from './bert-tokenizer.ts'
import { type EncoderShape, encoderGraph, MAX_POSITIONS } from './encoder-graph.ts'
import { moveToDataFile } from './external-data.ts'
import { type FileContent, type MadeModel, writeModelFolder } from './model-folder.ts'
import { ElementType, encodeModel } from './onnx-proto.ts'
import type { Message } from './protobuf.ts'
import { bitsAndBytes, dense, dynamicBytes, fourBits, staticBytes, type WeightFormat } from './weight-formats.ts'

/** The sizes of known models: bytes are those of fp32. */
const SIZES = {
  /** 2 MB: for tests. It has as many initializers as a large one. */
  tiny: { layers: 6, width: 64, heads: 4, inner: 256, tokens: 2000 },
  /** 18 MB: with each dtype, most matrices have more than 64 kB. */
  compact: { layers: 4, width: 256, heads: 8, inner: 1024, tokens: 4000 },
  /** 90 MB: all-MiniLM-L6-v2. */
  small: { layers: 6, width: 384, heads: 12, inner: 1536, tokens: 30_522 },
  /** 435 MB: bert-base-uncased. */
  base: { layers: 12, width: 768, heads: 12, inner: 3072, tokens: 30_522 },
} as const satisfies Record<string, EncoderShape>

/** A file suffix of transformers.js (`DEFAULT_DTYPE_SUFFIX_MAPPING` in its src/utils/dtypes.js) and how it stores matrices. */
const DTYPES = {
  fp32: { suffix: '', format: dense(ElementType.float) },
  fp16: { suffix: '_fp16', format: dense(ElementType.float16) },
  q8: { suffix: '_quantized', format: dynamicBytes(ElementType.int8) },
  int8: { suffix: '_int8', format: dynamicBytes(ElementType.int8) },
  uint8: { suffix: '_uint8', format: dynamicBytes(ElementType.uint8) },
  q4: { suffix: '_q4', format: fourBits(ElementType.float) },
  q4f16: { suffix: '_q4f16', format: fourBits(ElementType.float16) },
  bnb4: { suffix: '_bnb4', format: bitsAndBytes() },
  /** No dtype of transformers.js: a static quantization, for ONNX Runtime. */
  qdq: { suffix: '_qdq', format: staticBytes(ElementType.int8) },
} as const satisfies Record<string, { suffix: string; format: WeightFormat }>

export type EncoderSize = keyof typeof SIZES
export const ENCODER_SIZES = Object.keys(SIZES)

export function isEncoderSize(name: string): name is EncoderSize {
  return ENCODER_SIZES.includes(name)
}

export type EncoderDtype = keyof typeof DTYPES

export interface EncoderOptions {
  /** Default 'tiny'. */
  size?: EncoderSize
  /** Another seed gives other weights (default 1). */
  seed?: number
  /** Default ['fp32']. */
  dtypes?: readonly EncoderDtype[]
  /** Puts the weights in `<model>.onnx_data`. */
  externalData?: boolean
}

/**
 * Writes a BERT with random weights that `pipeline('feature-extraction', directory)` loads. Its graph is the one that torch
 * exports, so that loading costs what it costs for a real model. The same options give the same bytes. Weights are written
 * one megabyte at a time, so a large model needs no memory.
 */
export async function makeEncoder(directory: string, options: EncoderOptions = {}): Promise<MadeModel> {
  const { size = 'tiny', seed = 1, dtypes = ['fp32'], externalData = false } = options
  const shape: EncoderShape = SIZES[size]
  const files: Record<string, FileContent> = {
    'README.md': MODEL_CARD,
    'config.json': { json: bertConfig(shape, externalData) },
    ...bertTokenizerFiles(vocabularyOf(shape.tokens), MAX_POSITIONS),
  }
  for (const dtype of new Set(dtypes)) Object.assign(files, onnxFiles(shape, dtype, seed, externalData))
  return writeModelFolder(directory, files)
}

function onnxFiles(
  shape: EncoderShape,
  dtype: EncoderDtype,
  seed: number,
  isExternal: boolean,
): Record<string, Message> {
  const { suffix, format } = DTYPES[dtype]
  const file = `model${suffix}.onnx`
  const graph = encoderGraph(shape, format, seed)
  if (!isExternal) return { [`onnx/${file}`]: encodeModel(graph) }
  const { pointing, data } = moveToDataFile(graph, `${file}_data`)
  return { [`onnx/${file}`]: encodeModel(pointing), [`onnx/${file}_data`]: data }
}

/** The vocabulary of the embedding model, and made words up to the length. */
function vocabularyOf(length: number): string[] {
  const words = bertVocabulary()
  return [...words, ...Array.from({ length: length - words.length }, (_, index) => `word${index}`)]
}

function bertConfig({ layers, width, heads, inner, tokens }: EncoderShape, isExternal: boolean): object {
  return {
    architectures: ['BertModel'],
    model_type: 'bert',
    hidden_act: 'gelu',
    hidden_size: width,
    intermediate_size: inner,
    layer_norm_eps: 1e-5,
    max_position_embeddings: MAX_POSITIONS,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    pad_token_id: SPECIAL_TOKENS.indexOf('[PAD]'),
    type_vocab_size: 2,
    vocab_size: tokens,
    ...(isExternal && { 'transformers.js_config': { use_external_data_format: true } }),
  }
}

const MODEL_CARD = `---
library_name: transformers.js
pipeline_tag: feature-extraction
---

# A BERT for tests

Random weights in the graph that torch exports.
`
