import { bertTokenizerFiles, bertVocabulary, SPECIAL_TOKENS } from './bert-tokenizer.ts'
import { EMBEDDING_DIMENSION, embeddingGraph } from './embedding-graph.ts'
import { type FileContent, type MadeModel, writeModelFolder } from './model-folder.ts'
import { ElementType, encodeModel, type Initializer } from './onnx-proto.ts'
import { byteLengthOf, type Message } from './protobuf.ts'
import { bytesPerWeight, randomWeights, type WeightType } from './weights.ts'

/** A file suffix of transformers.js (`DEFAULT_DTYPE_SUFFIX_MAPPING` in its src/utils/dtypes.js) and how it stores rows. */
const DTYPES = {
  fp32: { suffix: '', weightType: ElementType.float },
  fp16: { suffix: '_fp16', weightType: ElementType.float16 },
  q8: { suffix: '_quantized', weightType: ElementType.int8 },
  int8: { suffix: '_int8', weightType: ElementType.int8 },
  uint8: { suffix: '_uint8', weightType: ElementType.uint8 },
} as const satisfies Record<string, { suffix: string; weightType: WeightType }>

export type EmbeddingDtype = keyof typeof DTYPES

export interface EmbeddingModelOptions {
  /** Bytes of the fp32 model, external data included (default 50,000); fp16 is half of it, q8 a quarter. */
  size?: number
  /** Another seed gives other weights, and so other bytes and vectors (default 1). */
  seed?: number
  /** Default ['fp32']. The vectors of the dtypes differ, except for q8 and int8, whose bytes are equal. */
  dtypes?: readonly EmbeddingDtype[]
  /** Puts the weights in `<model>.onnx_data`. */
  externalData?: boolean
  /** Words that are one token; all other words are split into letters. */
  vocabulary?: readonly string[]
}

export interface EmbeddingModel extends MadeModel {
  /** The length of the vectors of `pipeline('feature-extraction', directory)`. */
  readonly dimension: number
  /** Tokens by id. The table has more rows than that. */
  readonly vocabulary: readonly string[]
}

const MAX_TOKENS = 512

// Protobuf readers such as ONNX Runtime accept only files under 2 GiB; larger models use external data.
const MAX_PROTOBUF_BYTES = 2 ** 31

/**
 * Writes a BERT-shaped model that `pipeline('feature-extraction', directory)` loads. The same options give the same bytes.
 * Throws a RangeError when `size` has no room for the vocabulary, or is not under the 2 GiB of a protobuf file.
 */
export async function makeEmbeddingModel(
  directory: string,
  options: EmbeddingModelOptions = {},
): Promise<EmbeddingModel> {
  const { size = 50_000, seed = 1, dtypes = ['fp32'], externalData = false } = options
  const vocabulary = bertVocabulary(options.vocabulary)
  const rows = rowsForSize(size)
  if (!(rows >= vocabulary.length)) {
    throw new RangeError(`A model of ${size} bytes has ${rows} rows; the vocabulary has ${vocabulary.length} tokens`)
  }
  if (size >= MAX_PROTOBUF_BYTES) throw new RangeError(`A model of ${size} bytes is too big for one protobuf file`)
  const files: Record<string, FileContent> = {
    'README.md': MODEL_CARD,
    'config.json': { json: bertConfig(rows, externalData) },
    ...bertTokenizerFiles(vocabulary, MAX_TOKENS),
  }
  for (const dtype of new Set(dtypes)) Object.assign(files, onnxFiles(dtype, rows, seed, externalData))
  return { ...(await writeModelFolder(directory, files)), dimension: EMBEDDING_DIMENSION, vocabulary }
}

function onnxFiles(dtype: EmbeddingDtype, rows: number, seed: number, external: boolean): Record<string, Message> {
  const { suffix, weightType } = DTYPES[dtype]
  const weights = randomWeights(weightType, rows * EMBEDDING_DIMENSION, seed)
  const file = `model${suffix}.onnx`
  const dataFile = `${file}_data`
  const table: Initializer = {
    name: 'embeddings.word_embeddings.weight',
    type: weightType,
    dims: [rows, EMBEDDING_DIMENSION],
    content: external ? { location: dataFile, byteLength: weights.byteLength } : weights,
  }
  const model = { [`onnx/${file}`]: encodeModel(embeddingGraph(table, weightType, seed)) }
  return external ? { ...model, [`onnx/${dataFile}`]: [weights] } : model
}

/** The largest number of table rows with which the fp32 model has at most `size` bytes. */
function rowsForSize(size: number): number {
  const bytesPerRow = EMBEDDING_DIMENSION * bytesPerWeight(ElementType.float)
  const probe = Object.values(onnxFiles('fp32', 1, 0, false)).reduce((sum, file) => sum + byteLengthOf(file), 0)
  return Math.floor((size - (probe - bytesPerRow)) / bytesPerRow)
}

function bertConfig(rows: number, externalData: boolean): object {
  return {
    architectures: ['BertModel'],
    model_type: 'bert',
    hidden_act: 'gelu',
    hidden_size: EMBEDDING_DIMENSION,
    intermediate_size: EMBEDDING_DIMENSION * 4,
    layer_norm_eps: 1e-12,
    max_position_embeddings: MAX_TOKENS,
    num_attention_heads: 2,
    num_hidden_layers: 1,
    pad_token_id: SPECIAL_TOKENS.indexOf('[PAD]'),
    type_vocab_size: 2,
    vocab_size: rows,
    ...(externalData && { 'transformers.js_config': { use_external_data_format: true } }),
  }
}

const MODEL_CARD = `---
library_name: transformers.js
pipeline_tag: feature-extraction
---

# Embeddings for tests

Random weights in the shape of a BERT.
`
