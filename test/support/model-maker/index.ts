export {
  type EmbeddingDtype,
  type EmbeddingModel,
  type EmbeddingModelOptions,
  makeEmbeddingModel,
} from './embedding-model.ts'
export {
  ENCODER_SIZES,
  type EncoderDtype,
  type EncoderOptions,
  type EncoderSize,
  isEncoderSize,
  makeEncoder,
} from './encoder-model.ts'
export type { MadeModel } from './model-folder.ts'
export { makeSileroVad, type SileroVad } from './silero-vad.ts'
export { makeUnusualModel, UNUSUAL_MODEL_NAMES } from './unusual-models.ts'
export { SAMPLE_RATE, silence, tone, writeWav } from './wav.ts'
export { makeWhisperModel, type WhisperModel, type WhisperModelOptions } from './whisper-model.ts'
