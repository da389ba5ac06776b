import { BrokenDownloadError } from '../model/broken-download.ts'
import type { Span } from '../model/spans.ts'
import type { DownloadRequest, Sink } from './download-request.ts'
import { FileRequests, forget, type Opened } from './file-requests.ts'
import { Growth } from './growth.ts'
import { type HubAccess, isNetworkError, rootMessage } from './http.ts'
import { mayPass } from './retry.ts'
import { type StallWatch, underStallWatch } from './stall-watch.ts'

// A smaller file is there before a second connection would help.
const WORTH_SPLITTING_BYTES = 32 << 20
const SMALLEST_SPAN_BYTES = 4 << 20
const LARGEST_SPAN_BYTES = 32 << 20

/**
 * Downloads what the sink misses of a file. A large one begins on one connection and takes more for as long as that
 * makes it faster. Throws `BrokenDownloadError` when the body is not as long as the Hub stated, stalls or trickles, and
 * whatever fetch throws; digests are the sink's business.
 */
export async function download(hub: HubAccess, request: DownloadRequest, sink: Sink): Promise<void> {
  if (sink.received < request.size) await new Transfer(hub, request, sink).run()
  if (sink.received !== request.size)
    throw new BrokenDownloadError(`${request.path} came with ${sink.received} bytes, the Hub stated ${request.size}`)
}

/** One attempt at what is missing of a file, over one connection or several. */
class Transfer {
  readonly #requests: FileRequests
  /** Parts that no lane has taken yet. */
  #gaps: Span[]
  /** Undefined where one connection has to do. */
  readonly #growth: Growth | undefined
  #lanes = 0
  readonly #running: Promise<void>[] = []
  #isFirst = true
  #failure: { error: unknown } | undefined

  constructor(
    hub: HubAccess,
    readonly request: DownloadRequest,
    readonly sink: Sink,
  ) {
    this.#requests = new FileRequests(hub, request, sink)
    this.#gaps = sink.gaps()
    if (request.connections && request.size - sink.received >= WORTH_SPLITTING_BYTES) this.#growth = new Growth()
  }

  async run(): Promise<void> {
    this.#lanes = 1
    this.#running.push(this.#lane())
    // More of them begin while these run.
    for (const lane of this.#running) await lane
    // What one lane failed at another may have brought in; but not what the sink refused.
    const { received } = this.sink
    if (this.#failure && (received !== this.request.size || !mayPass(this.#failure.error))) throw this.#failure.error
  }

  /** One connection: fetches one part after the other. What it fails at is left to the others. */
  async #lane(): Promise<void> {
    for (let span = this.#take(); span; span = this.#take()) {
      const rest = { ...span }
      try {
        await this.#fetch(rest)
      } catch (error) {
        // What no other try would change goes first: it is what matters.
        if (!this.#failure || mayPass(this.#failure.error)) this.#failure = { error }
        this.#growth?.settle(Math.max(1, this.#lanes - 1))
        if (rest.start < rest.end) this.#gaps.unshift(rest)
        break
      }
    }
    this.#lanes--
  }

  /** The part to fetch next; undefined when none is left, or when this lane is one too many. */
  #take(): Span | undefined {
    const { connections } = this.request
    const [gap] = this.#gaps
    const isSpare = this.#lanes > 1 && (connections?.inDemand || this.#lanes > (this.#growth?.lanes ?? 1))
    if (!gap || isSpare) return undefined
    const span = { start: gap.start, end: Math.min(gap.end, gap.start + this.#share()) }
    this.#gaps = [{ start: span.end, end: gap.end }, ...this.#gaps.slice(1)].filter(({ start, end }) => start < end)
    return span
  }

  /** How much a lane takes at once: all when it is alone, small parts until that is known, smaller ones at the end. */
  #share(): number {
    if (!this.#growth) return Number.POSITIVE_INFINITY
    const { lanes, isSettled } = this.#growth
    if (!isSettled) return SMALLEST_SPAN_BYTES
    if (lanes === 1) return Number.POSITIVE_INFINITY
    const left = this.#gaps.reduce((sum, { start, end }) => sum + end - start, 0)
    return Math.min(Math.max(Math.floor(left / (2 * lanes)), SMALLEST_SPAN_BYTES), LARGEST_SPAN_BYTES)
  }

  /** Fetches a part; `rest` is what is missing of it at any time. */
  async #fetch(rest: Span): Promise<void> {
    await underStallWatch(this.request, async (watch) => {
      const { body } = await this.#open(rest, watch.signal)
      this.#growth?.opened()
      try {
        for await (const chunk of this.#chunks(body)) await this.#receive(chunk, rest, watch)
      } finally {
        this.#growth?.closed()
      }
      if (rest.start < rest.end)
        throw new BrokenDownloadError(
          `${this.request.path} came with ${this.sink.received} bytes, the Hub stated ${this.request.size}`,
        )
    })
  }

  /** A connection that goes while the body comes is no Hub that can't be reached. */
  async *#chunks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      if (!isNetworkError(error)) throw error
      throw new BrokenDownloadError(`${this.request.path} broke off: ${rootMessage(error)}`)
    }
  }

  async #open(rest: Span, signal: AbortSignal): Promise<Opened> {
    if (!this.#isFirst) return this.#requests.next(rest, signal)
    this.#isFirst = false
    const opened = await this.#requests.first(rest, signal)
    // The whole file comes, from its beginning: nothing is left for others.
    if (opened.span.start !== rest.start || opened.span.end !== rest.end) this.#gaps = []
    Object.assign(rest, opened.span)
    return opened
  }

  async #receive(chunk: Uint8Array, rest: Span, watch: StallWatch): Promise<void> {
    const { request, sink } = this
    watch.saw(chunk.byteLength)
    if (chunk.byteLength > rest.end - rest.start) {
      if (this.#lanes === 1) await forget(request, sink)
      throw new BrokenDownloadError(`${request.path} came with more than ${request.size} bytes, as the Hub stated`)
    }
    const at = rest.start
    rest.start += chunk.byteLength
    await sink.write(chunk, at)
    request.onBytes?.(chunk.byteLength)
    if (this.#growth?.saw(chunk.byteLength)) this.#grow(this.#growth)
  }

  #grow(growth: Growth): void {
    while (this.#lanes < growth.lanes && this.#gaps.length > 0) {
      const lane = this.request.connections?.spare(() => this.#lane())
      if (!lane) {
        growth.settle(this.#lanes)
        return
      }
      this.#lanes++
      this.#running.push(lane)
    }
  }
}
