import { writeFile } from 'node:fs/promises'
import wavefile from 'wavefile'

/** The sample rate of Whisper and Silero VAD, in Hz. */
export const SAMPLE_RATE = 16_000

/** Writes a mono 16-bit PCM file; samples are in [-1, 1]. */
export async function writeWav(path: string, samples: Float32Array, sampleRate: number): Promise<void> {
  const wav = new wavefile.WaveFile()
  const integers = Int16Array.from(samples, (sample) => Math.round(Math.max(-1, Math.min(1, sample)) * 32767))
  wav.fromScratch(1, sampleRate, '16', integers)
  await writeFile(path, wav.toBuffer())
}

export function silence(seconds: number, sampleRate = SAMPLE_RATE): Float32Array {
  return new Float32Array(Math.round(seconds * sampleRate))
}

/** A sine of half the full amplitude. */
export function tone(seconds: number, hz: number, sampleRate = SAMPLE_RATE): Float32Array {
  return silence(seconds, sampleRate).map((_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / sampleRate))
}
