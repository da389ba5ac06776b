import { chunksOf } from '../../src/net/body.ts'
import type { Answer } from '../../src/net/fetch.ts'

const NO_SIGNAL = new AbortController().signal

/** The whole body of a response. */
export async function bytesOf(answer: Answer, signal = NO_SIGNAL): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of chunksOf(answer.body, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function textOf(answer: Answer): Promise<string> {
  return (await bytesOf(answer)).toString()
}

export async function jsonOf(answer: Answer): Promise<unknown> {
  return JSON.parse(await textOf(answer))
}
