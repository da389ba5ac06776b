import { readFile } from 'node:fs/promises'
import { ModelCacheError, messageOf } from '../model/errors.ts'

/** Samples at 16 kHz, the path or URL of a WAV file, or its bytes. */
export type Audio = Float32Array | string | URL | Uint8Array

export const SAMPLE_RATE = 16_000

/** Returns mono samples at 16 kHz. A Float32Array is returned unchanged. Throws `PROVIDER_FAILED`. */
export async function readAudio(audio: Audio): Promise<Float32Array> {
  // Not by instanceof: a vm context has a Float32Array class of its own.
  if (Object.prototype.toString.call(audio) === '[object Float32Array]') return audio as Float32Array
  const asked = isLocation(audio) ? `Audio ${audio}` : 'Audio'
  const bytes = isLocation(audio) ? await readFile(audio) : (audio as Uint8Array)
  try {
    return await decodeWav(bytes)
  } catch (cause) {
    throw new ModelCacheError({
      code: 'PROVIDER_FAILED',
      asked,
      reason: `It could not be read as WAV: ${messageOf(cause)}.`,
      nextStep: 'Give a WAV file (path, URL or bytes), or samples at 16 kHz as a Float32Array.',
      cause,
    })
  }
}

/** True for a path or a URL. Not by instanceof: jsdom has a URL class of its own. */
export function isLocation(audio: Audio): audio is string | URL {
  return typeof audio === 'string' || 'href' in audio
}

async function decodeWav(bytes: Uint8Array): Promise<Float32Array> {
  const { default: decode } = await import('@audio/decode-wav')
  const { channelData, sampleRate } = decode(bytes)
  const [first, ...others] = channelData
  if (!first || first.length === 0) throw new Error('it holds no samples')
  const mono = first.map(
    (sample, i) => others.reduce((sum, other) => sum + (other[i] ?? 0), sample) / channelData.length,
  )
  return resample(mono, sampleRate / SAMPLE_RATE)
}

/** Each new sample is the average of the samples that it replaces. The average also removes frequencies too high for 16 kHz. */
function resample(samples: Float32Array, ratio: number): Float32Array {
  if (ratio === 1) return samples
  return new Float32Array(Math.round(samples.length / ratio)).map((_, index) => {
    const from = Math.floor(index * ratio)
    const window = samples.subarray(from, Math.max(from + 1, Math.floor((index + 1) * ratio)))
    return window.reduce((sum, sample) => sum + sample, 0) / window.length
  })
}
