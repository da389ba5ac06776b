import type { TransformerShape } from './transformer.ts'

export const WHISPER_SOUND = {
  melBins: 80,
  frames: 3000,
  /** Half of the frames, as after Whisper's second convolution. */
  sourcePositions: 1500,
} as const

export const MAX_TARGET_POSITIONS = 448

/** The encoder and the decoder have as many transformer layers each. */
export type WhisperShape = TransformerShape

export const WHISPER_SIZES = {
  /** 300 kB. It has no transformer layers. */
  bare: { layers: 0, width: 16, heads: 2, inner: 64 },
  /** Some 2 MB for the encoder as for the decoder. */
  tiny: { layers: 3, width: 96, heads: 4, inner: 384 },
  /** Layers as in openai/whisper-tiny: some 30 MB for the encoder, and 40 MB for the decoder. */
  full: { layers: 4, width: 384, heads: 6, inner: 1536 },
} as const satisfies Record<string, WhisperShape>

export type WhisperSize = keyof typeof WHISPER_SIZES
