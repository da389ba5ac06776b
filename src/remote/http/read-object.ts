import type { Answer } from '../../net/fetch.ts'
import { part } from '../part.ts'
import { type CallOptions, RemoteError } from '../store.ts'
import { discard, type Requests } from './requests.ts'
import { checkIsObject, isAbsent } from './statuses.ts'

/** Looks for an object. Its size in bytes is undefined if the server does not state it. Undefined if there is no such object. */
export async function findObject(
  requests: Requests,
  key: string,
  signal: AbortSignal,
): Promise<{ size?: number } | undefined> {
  const { answer, isForeign } = await requests.send({ method: 'HEAD', path: key, signal })
  if (isAbsent(answer)) return undefined
  // An address to which the store redirects can be signed for GET alone.
  const isForGetOnly = [405, 501].includes(answer.status) || (isForeign && answer.status === 403)
  if (isForGetOnly) return findByGet(requests, key, signal)
  checkIsObject(requests.name, 'HEAD', answer)
  return { size: lengthOf(answer) }
}

async function findByGet(requests: Requests, key: string, signal: AbortSignal): Promise<{ size?: number } | undefined> {
  const { answer } = await requests.send({ method: 'GET', path: key, headers: { Range: 'bytes=0-0' }, signal })
  await discard(answer)
  if (isAbsent(answer)) return undefined
  // An empty object has no first byte.
  if (answer.status === 416) return { size: 0 }
  checkIsObject(requests.name, 'GET', answer)
  return { size: answer.status === 200 ? lengthOf(answer) : rangeOf(answer)?.total }
}

/** The bytes of a part of an object. */
export interface Part {
  bytes: AsyncIterable<Uint8Array>
  /** True if the server sent the object from its beginning, although another part was asked for. */
  isWhole?: boolean
}

/** Opens the part of an object from `start` up to `end`. Undefined if there is no such object. */
export async function openPart(
  requests: Requests,
  key: string,
  { signal, start = 0, end = Number.POSITIVE_INFINITY }: CallOptions & { start?: number; end?: number },
): Promise<Part | undefined> {
  if (end <= start) return (await findObject(requests, key, signal)) && NOTHING
  const last = Number.isFinite(end) ? end - 1 : ''
  const headers = start > 0 || last !== '' ? { Range: `bytes=${start}-${last}` } : undefined
  const { answer } = await requests.send({ method: 'GET', path: key, headers, signal })
  if (isAbsent(answer)) return undefined
  // The object ends before the part begins.
  if (headers && answer.status === 416) return NOTHING
  try {
    checkIsObject(requests.name, 'GET', answer)
    const length = answer.status === 206 ? lengthOfPart(requests.name, answer, { start, end }) : undefined
    const chunks = requests.bytesOf(answer, signal)
    if (length !== undefined) return { bytes: exactly(requests.name, chunks, length) }
    return { bytes: part(chunks, start, end), isWhole: start > 0 || (lengthOf(answer) ?? end) > end }
  } catch (error) {
    await discard(answer)
    throw error
  }
}

const NOTHING: Part = { bytes: { async *[Symbol.asyncIterator]() {} } }

/** The bytes that an answer with a part has. Throws if it has another part than was asked for. */
function lengthOfPart(name: string, answer: Answer, { start, end }: { start: number; end: number }): number {
  const range = rangeOf(answer)
  // A part that reaches beyond the end of the object ends there.
  const isAsked = range?.start === start && (range.end === end || (range.end < end && range.end === range.total))
  if (isAsked) return range.end - start
  throw new RemoteError('failed', `${name} sent another part of an object than was asked for`)
}

/** The chunks, if they have that many bytes. Throws as soon as there are more, so that an endless body ends. */
async function* exactly(name: string, chunks: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let received = 0
  for await (const chunk of chunks) {
    received += chunk.byteLength
    if (received > length) break
    yield chunk
  }
  if (received !== length)
    throw new RemoteError('failed', `${name} sent ${received > length ? 'more' : 'fewer'} bytes than it stated`)
}

/** The size that a whole answer states. */
function lengthOf({ headers }: Answer): number | undefined {
  const length = headers.get('Content-Length')
  return length !== null && /^\d+$/.test(length) ? Number(length) : undefined
}

/** The part that an answer states, and the size of the object if it states that too. */
function rangeOf({ headers }: Answer): { start: number; end: number; total: number | undefined } | undefined {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('Content-Range')?.trim() ?? '') ?? []
  if (first === undefined) return undefined
  return { start: Number(first), end: Number(last) + 1, total: total === '*' ? undefined : Number(total) }
}
