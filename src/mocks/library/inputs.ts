import { describe, hash, seedOf } from '../seed.ts'
import { isTensor, type TensorLike } from './library.ts'
import { textOf } from './tokenizer.ts'

/** What a model is called with: tensors by name. */
export type Inputs = Record<string, unknown>

export interface Rows {
  /** The texts of the inputs; undefined for images and sounds. */
  texts?: string[]
  /** One number for each input of the batch. */
  seeds: number[]
  /** How many tokens each input has. */
  length: number
}

// The number of tokens of an image or a sound.
const MEDIA_LENGTH = 50

/** The inputs of a batch: texts by their tokens, anything else by the numbers of its first tensor. */
export function rowsOf(model: string, inputs: Inputs): Rows {
  const { input_ids: tokens } = inputs
  if (isTensor(tokens)) {
    const texts = rowsIn(tokens).map((row) => textOf(row.map(Number)))
    const seeds = texts.map((text) => seedOf(model, 'feature-extraction', text))
    return { texts, seeds, length: tokens.dims.at(-1) ?? 1 }
  }
  const media = Object.values(inputs).find(isTensor)
  if (!media) return { seeds: [hash(model)], length: 1 }
  const seeds = rowsIn(media).map((row) => seedOf(model, 'media', describe(Float32Array.from(row, Number))))
  return { seeds, length: MEDIA_LENGTH }
}

/** The numbers of each input of a batch. */
export function rowsIn({ data, dims }: TensorLike): (number | bigint)[][] {
  const all = Array.from(data)
  const count = dims.length > 1 ? (dims[0] ?? 1) : 1
  const length = all.length / count
  return Array.from({ length: count }, (_, row) => all.slice(row * length, (row + 1) * length))
}
