import type { Audio } from './audio.ts'

export interface TranscriptionProgress {
  /** Seconds of audio that were transcribed. */
  seconds: number
  /** Seconds of audio in all. */
  totalSeconds: number
  /** The text so far. */
  text: string
}

export interface TranscribeOptions {
  onProgress?: (progress: TranscriptionProgress) => void
  /** For multilingual models: `en`, `french`... Default: the model decides. */
  language?: string
  /** Adds `chunks` with their times in seconds. */
  timestamps?: boolean
}

export interface Transcript {
  /** Without white space at its ends. */
  text: string
  chunks?: { text: string; timestamp: [number, number | null] }[]
}

export interface Transcriber {
  /** Transcribes a WAV file, its bytes, or samples at 16 kHz. */
  transcribe(audio: Audio, options?: TranscribeOptions): Promise<Transcript>
  /** Frees the model. */
  dispose(): Promise<void>
}
