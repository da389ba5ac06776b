import { GraphBuilder, Weights } from './graph-builder.ts'
import { ElementType, type Graph, type Operation, type Value } from './onnx-proto.ts'
import { floats, int64s } from './tensors.ts'
import { randomFloats } from './weights.ts'
import { hiddenStates, LOUDNESS_CHANNEL } from './whisper-encoder.ts'
import { decoderBranch } from './whisper-layers.ts'
import type { WhisperShape } from './whisper-shape.ts'

/** For each of four cases: the next token by token id. `plain` is the case with <|notimestamps|>. */
export interface NextTokens {
  readonly afterSilence: { readonly timed: readonly number[]; readonly plain: readonly number[] }
  readonly afterSound: { readonly timed: readonly number[]; readonly plain: readonly number[] }
}

/**
 * Log-mel features end as (log10(power) + 4) / 4 (log_mel_spectrogram in
 * https://github.com/openai/whisper/blob/v20240930/whisper/audio.py), so digital silence is -1.5 in every bin. A tone of half the full amplitude is above 1, noise of a thousandth below 0.
 */
const LOUD = 0.25

/** The weight that marks the key of <|notimestamps|>; all other weights are under 2. */
const MARK = 4

/**
 * One decoder for the first step and the cached steps, so `use_cache_branch` has no effect. It chooses a list of next tokens by
 * the loudness of the encoder and by the prompt, and then goes from token to token. As in a real decoder, later steps know only
 * from the key-value cache whether <|notimestamps|> was in the prompt.
 */
export function decoderGraph(next: NextTokens, noTimestamps: number, shape: WhisperShape, seed: number): Graph {
  const { width, heads } = shape
  // In the order of `list` in `nextTokenOperations`.
  const lists = [next.afterSilence.timed, next.afterSound.timed, next.afterSilence.plain, next.afterSound.plain]
  const vocabulary = next.afterSound.plain.length
  const keys = randomFloats(vocabulary * width, seed + 1).with(noTimestamps * width, MARK)
  const graph = new GraphBuilder('decoder', new Weights(ElementType.float, seed))
  graph.operations.push(...cacheOperations('key'), ...cacheOperations('value'), ...nextTokenOperations())
  for (const initializer of [
    floats('key_weight', [vocabulary, width], keys),
    floats('value_weight', [vocabulary, width], randomFloats(vocabulary * width, seed + 2)),
    int64s('split', [4], [0, 0, heads, width / heads]),
    int64s('flat', [2], [0, -1]),
    int64s('loudness_channel', [], [LOUDNESS_CHANNEL]),
    floats('loud', [], [LOUD]),
    floats('mark', [], [(MARK + 2) / 2]),
    int64s('two', [], [2]),
    int64s('vocabulary', [], [vocabulary]),
    int64s('next', [lists.length * vocabulary], lists.flat()),
    // A word's logit must exceed the log of the number of timestamps, or all timestamps together would win:
    // WhisperTimeStampLogitsProcessor in src/generation/logits_process.js of transformers.js.
    floats('off_on', [2], [0, 20]),
  ])
    graph.weights.add(initializer)
  addChoice(graph, shape, vocabulary)
  const tokenIds = { name: 'input_ids', type: ElementType.int64, dims: ['batch_size', 'decoder_sequence_length'] }
  return graph.build(
    [
      tokenIds,
      hiddenStates('encoder_hidden_states', width),
      ...cacheValues('past_key_values', 'past_decoder_sequence_length', shape),
      { name: 'use_cache_branch', type: ElementType.bool, dims: [1] },
    ],
    [
      { name: 'logits', type: ElementType.float, dims: [...tokenIds.dims, vocabulary] },
      ...cacheValues('present', 'total_decoder_sequence_length', shape),
    ],
  )
}

/** The logits: the chosen tokens, and a small part of what the transformer layers say. */
function addChoice(graph: GraphBuilder, shape: WhisperShape, vocabulary: number): void {
  const chosen = ['next_ids', 'vocabulary', 'off_on']
  if (shape.layers === 0) {
    graph.add('OneHot', chosen, {}, 'logits')
    return
  }
  graph.operations.push({
    op: 'If',
    inputs: ['use_cache_branch'],
    outputs: ['layer_logits', ...cacheNames('present', shape.layers).slice(4)],
    attributes: {
      then_branch: { graph: decoderBranch(graph, shape, vocabulary, true) },
      else_branch: { graph: decoderBranch(graph, shape, vocabulary, false) },
    },
  })
  const part = graph.add('Mul', ['layer_logits', graph.weights.add(floats('part', [], [1 / 64]))])
  graph.add('Add', [graph.add('OneHot', chosen), part], {}, 'logits')
}

function cacheOperations(kind: 'key' | 'value'): Operation[] {
  return [
    { op: 'Gather', inputs: [`${kind}_weight`, 'input_ids'], outputs: [`${kind}_rows`] },
    ...splitHeads(`${kind}_rows`, `new_${kind}`),
    {
      op: 'Concat',
      inputs: [`past_key_values.0.decoder.${kind}`, `new_${kind}`],
      outputs: [`present.0.decoder.${kind}`],
      attributes: { axis: { int: 2 } },
    },
    ...splitHeads('encoder_hidden_states', `present.0.encoder.${kind}`),
  ]
}

function nextTokenOperations(): Operation[] {
  return [
    {
      op: 'Gather',
      inputs: ['encoder_hidden_states', 'loudness_channel'],
      outputs: ['loudness'],
      attributes: { axis: { int: 2 } },
    },
    ...anyAbove('loudness', 'loud', 'is_loud'),
    { op: 'Reshape', inputs: ['present.0.decoder.key', 'flat'], outputs: ['seen_keys'] },
    ...anyAbove('seen_keys', 'mark', 'is_plain'),
    { op: 'Mul', inputs: ['is_plain', 'two'], outputs: ['plain_lists'] },
    { op: 'Add', inputs: ['plain_lists', 'is_loud'], outputs: ['list'] },
    { op: 'Mul', inputs: ['list', 'vocabulary'], outputs: ['list_start'] },
    { op: 'Add', inputs: ['input_ids', 'list_start'], outputs: ['place'] },
    { op: 'Gather', inputs: ['next', 'place'], outputs: ['next_ids'] },
  ]
}

/** Converts [batch, n] floats to [batch, 1] int64: 1 where any float is above the threshold. */
function anyAbove(input: string, threshold: string, output: string): Operation[] {
  const to = { int: ElementType.int64 }
  return [
    { op: 'ReduceMax', inputs: [input], outputs: [`${output}_max`], attributes: { axes: { ints: [1] } } },
    { op: 'Greater', inputs: [`${output}_max`, threshold], outputs: [`${output}_bool`] },
    { op: 'Cast', inputs: [`${output}_bool`], outputs: [output], attributes: { to } },
  ]
}

/** Converts [batch, length, width] to [batch, heads, length, width of a head]. */
function splitHeads(input: string, output: string): Operation[] {
  return [
    { op: 'Reshape', inputs: [input, 'split'], outputs: [`${output}_split`] },
    { op: 'Transpose', inputs: [`${output}_split`], outputs: [output], attributes: { perm: { ints: [0, 2, 1, 3] } } },
  ]
}

/**
 * The names that `getCacheNames` in src/configs.js of transformers.js expects. Layer 0 is that of the chosen tokens, and the
 * transformer layers follow.
 */
function cacheNames(prefix: 'past_key_values' | 'present', layers: number): string[] {
  const parts = ['decoder.key', 'decoder.value', 'encoder.key', 'encoder.value']
  return Array.from({ length: layers + 1 }, (_, layer) => parts.map((part) => `${prefix}.${layer}.${part}`)).flat()
}

function cacheValues(
  prefix: 'past_key_values' | 'present',
  decoderLength: string,
  { layers, heads, width }: WhisperShape,
): Value[] {
  return cacheNames(prefix, layers).map((name) => {
    const length = name.includes('.encoder.') ? 'encoder_sequence_length_out' : decoderLength
    return { name, type: ElementType.float, dims: ['batch_size', heads, length, width / heads] }
  })
}
