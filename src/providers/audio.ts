import { readFile } from 'node:fs/promises'
import { ModelCacheError, messageOf } from '../model/errors.ts'

/** Samples at 16 kHz, the path or URL of a WAV file, or its bytes. */
export type Audio = Float32Array | string | URL | Uint8Array

export const SAMPLE_RATE = 16_000

/** Mono samples at 16 kHz. A Float32Array is taken as it is. */
export async function readAudio(audio: Audio): Promise<Float32Array> {
  // By name and not by instanceof: in a vm context the class is another one.
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

/** A path or URL; not by instanceof either: jsdom brings a URL of its own. */
export function isLocation(audio: Audio): audio is string | URL {
  return typeof audio === 'string' || 'href' in audio
}

async function decodeWav(bytes: Uint8Array): Promise<Float32Array> {
  const { default: wavefile } = await import('wavefile')
  const wav = new wavefile.WaveFile(bytes)
  wav.toBitDepth('32f')
  wav.toSampleRate(SAMPLE_RATE)
  const samples: unknown = wav.getSamples()
  const channels = Array.isArray(samples) ? samples.map((channel) => Float32Array.from(channel)) : []
  const [first, ...others] = channels
  if (!first) return Float32Array.from(samples as Float64Array)
  return first.map(
    (sample, index) => others.reduce((sum, other) => sum + (other[index] ?? 0), sample) / channels.length,
  )
}
