import type { Audio } from './audio.ts'

export interface TranscriptionProgress {
  /** The seconds of audio that are transcribed. */
  seconds: number
  /** The length of the audio in seconds. */
  totalSeconds: number
  /** The text so far. */
  text: string
}

export interface TranscribeOptions {
  onProgress?: (progress: TranscriptionProgress) => void
  /** The language for a multilingual model: `en`, `french` and so on. Default: the model decides. */
  language?: string
  /** True to add `chunks` with their times in seconds. */
  timestamps?: boolean
}

export interface Transcript {
  /** Without white space at the start and the end. */
  text: string
  chunks?: { text: string; timestamp: [number, number | null] }[]
}

export interface Transcriber {
  /** Transcribes a WAV file, its bytes, or samples at 16 kHz. */
  transcribe(audio: Audio, options?: TranscribeOptions): Promise<Transcript>
  /** Frees the model. */
  dispose(): Promise<void>
}
