import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { readAudio, SAMPLE_RATE } from '../../src/providers/audio.ts'
import { tone, writeWav } from '../support/model-maker/index.ts'
import { removeFolder } from '../support/remove-folder.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audio test '))
  onTestFinished(() => removeFolder(folder))
})

async function wav(samples: Float32Array, sampleRate = SAMPLE_RATE): Promise<string> {
  const path = join(folder, 'sound.wav')
  await writeWav(path, samples, sampleRate)
  return path
}

/** Encodes the given channels as 16-bit PCM. */
function pcm(channels: number[][], sampleRate = SAMPLE_RATE): Buffer {
  const frames = channels[0]?.length ?? 0
  const data = Buffer.alloc(frames * channels.length * 2)
  for (const [channel, samples] of channels.entries())
    for (const [frame, sample] of samples.entries())
      data.writeInt16LE(Math.round(sample * 32_767), (frame * channels.length + channel) * 2)
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(36 + data.length, 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20)
  header.writeUInt16LE(channels.length, 22)
  header.writeUInt32LE(sampleRate, 24)
  header.writeUInt32LE(sampleRate * channels.length * 2, 28)
  header.writeUInt16LE(channels.length * 2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36)
  header.writeUInt32LE(data.length, 40)
  return Buffer.concat([header, data])
}

function farthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, sample, index) => Math.max(most, Math.abs(sample - (b[index] ?? Number.NaN))), 0)
}

/** The frequency of a sound, from the number of its upward zero crossings. */
function hertz(samples: Float32Array): number {
  const rises = samples.filter((sample, index) => index > 0 && (samples[index - 1] ?? 0) < 0 && sample >= 0)
  return rises.length / (samples.length / SAMPLE_RATE)
}

describe('audio', () => {
  test('given as a Float32Array is returned unchanged', async () => {
    const samples = tone(0.1, 440)
    expect(await readAudio(samples)).toBe(samples)
  })

  test('has the same samples from a path, a URL and bytes', async () => {
    const samples = tone(0.25, 440)
    const path = await wav(samples)
    const bytes = await readFile(path)
    for (const audio of [path, pathToFileURL(path), bytes, new Uint8Array(bytes)]) {
      const read = await readAudio(audio)
      expect(Object.prototype.toString.call(read)).toBe('[object Float32Array]')
      expect(read).toHaveLength(samples.length)
      expect(farthest(read, samples)).toBeLessThan(0.001)
    }
  })

  test.each([8_000, 22_050, 44_100, 48_000])(
    'of %i Hz is resampled to 16 kHz, with the same length and pitch',
    async (rate) => {
      const read = await readAudio(await wav(tone(1, 440, rate), rate))
      expect(Math.abs(read.length - SAMPLE_RATE)).toBeLessThan(10)
      expect(hertz(read)).toBeGreaterThan(435)
      expect(hertz(read)).toBeLessThan(445)
      expect(Math.max(...read)).toBeGreaterThan(0.45)
      expect(Math.max(...read)).toBeLessThan(0.55)
    },
  )

  test('with several channels is mixed to one channel', async () => {
    const stereo = await readAudio(
      pcm([
        [0.5, 0.5, -0.5, 0],
        [0.25, -0.5, -0.5, 1],
      ]),
    )
    expect([...stereo].map((sample) => Math.round(sample * 1000) / 1000)).toEqual([0.375, 0, -0.5, 0.5])
    const six = await readAudio(pcm(Array.from({ length: 6 }, () => [0.5, -0.25])))
    expect([...six].map((sample) => Math.round(sample * 1000) / 1000)).toEqual([0.5, -0.25])
  })
})

describe('an input that is no WAV file', () => {
  test('is refused, and the error names the file', async () => {
    const path = join(folder, 'song.mp3')
    await writeFile(path, 'ID3 and so on')
    const refused = readAudio(path)
    await expect(refused).rejects.toMatchObject({ code: 'PROVIDER_FAILED', asked: `Audio ${path}` })
    await expect(refused).rejects.toThrow(/WAV/)
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a header without samples', pcm([[]])],
    ['a header that is cut off', pcm([[0.5]]).subarray(0, 20)],
  ])('is refused: %s', async (_, bytes) => {
    await expect(readAudio(bytes)).rejects.toMatchObject({ code: 'PROVIDER_FAILED' })
  })

  test('is refused when the file does not exist', async () => {
    await expect(readAudio(join(folder, 'missing.wav'))).rejects.toThrow(/missing\.wav/)
  })
})
