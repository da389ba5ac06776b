import { BrokenDownloadError, SizeMismatchError } from '../model/broken-download.ts'
import type { Span } from '../model/spans.ts'
import { isNetworkError, rootMessage } from '../net/connection-error.ts'
import type { DownloadRequest, Opened, PartSource, Sink, TransferRequest } from './download-request.ts'
import { FileRequests, forget } from './file-requests.ts'
import { Growth } from './growth.ts'
import type { HubAccess } from './http.ts'
import { mayPass } from './retry.ts'
import { type StallWatch, underStallWatch } from './stall-watch.ts'

// A smaller file is complete before a second connection would help.
const WORTH_SPLITTING_BYTES = 32 << 20
const SMALLEST_SPAN_BYTES = 4 << 20
const LARGEST_SPAN_BYTES = 32 << 20

/** Downloads the ranges of a file of the Hub that the sink is missing. Throws as `transfer`, and the errors of fetch. */
export async function download(hub: HubAccess, request: DownloadRequest, sink: Sink): Promise<void> {
  await transfer(new FileRequests(hub, request, sink), request, sink)
}

/**
 * Receives the ranges of a file that the sink is missing. A large file starts on one connection and uses more if that is
 * faster. Throws `BrokenDownloadError` when the size of the body differs from the stated size, or when the body stalls or is
 * too slow; also throws the errors of the source. The sink checks the digest.
 */
export async function transfer(source: PartSource, request: TransferRequest, sink: Sink): Promise<void> {
  if (sink.received < request.size) await new Transfer(source, request, sink).run()
  if (sink.received !== request.size)
    throw new BrokenDownloadError(
      `${sink.received} bytes of ${request.path} were received, but the Hub stated ${request.size}`,
    )
}

/** One attempt to download the missing ranges of a file, over one connection or several. */
class Transfer {
  /** Missing ranges that no lane has taken yet. */
  #gaps: Span[]
  /** Undefined where the download uses one connection only. */
  readonly #growth: Growth | undefined
  #lanes = 0
  readonly #running: Promise<void>[] = []
  #isFirst = true
  #failure: { error: unknown } | undefined

  constructor(
    readonly source: PartSource,
    readonly request: TransferRequest,
    readonly sink: Sink,
  ) {
    this.#gaps = sink.gaps()
    if (request.connections && request.size - sink.received >= WORTH_SPLITTING_BYTES) this.#growth = new Growth()
  }

  async run(): Promise<void> {
    this.#lanes = 1
    this.#running.push(this.#lane())
    // Lanes may add further lanes while they run; the loop awaits those too.
    for (const lane of this.#running) await lane
    // If one lane failed, another may have completed its part. An error that no retry can change is thrown in any case.
    const { received } = this.sink
    if (this.#failure && (received !== this.request.size || !mayPass(this.#failure.error))) throw this.#failure.error
  }

  /** One connection: fetches one part after the other. After a failure it ends, and returns its part to the gaps. */
  async #lane(): Promise<void> {
    for (let span = this.#take(); span; span = this.#take()) {
      const rest = { ...span }
      try {
        await this.#fetch(rest)
      } catch (error) {
        // An error that no retry can change takes precedence over one that may pass.
        if (!this.#failure || mayPass(this.#failure.error)) this.#failure = { error }
        this.#growth?.settle(Math.max(1, this.#lanes - 1))
        if (rest.start < rest.end) this.#gaps.unshift(rest)
        break
      }
    }
    this.#lanes--
  }

  /** The next part to fetch; undefined if none is left, or if there are more lanes than needed. */
  #take(): Span | undefined {
    const { connections } = this.request
    const [gap] = this.#gaps
    const isSpare = this.#lanes > 1 && (connections?.inDemand || this.#lanes > (this.#growth?.lanes ?? 1))
    if (!gap || isSpare) return undefined
    const span = { start: gap.start, end: Math.min(gap.end, gap.start + this.#share()) }
    this.#gaps = [{ start: span.end, end: gap.end }, ...this.#gaps.slice(1)].filter(({ start, end }) => start < end)
    return span
  }

  /**
   * The size in bytes of the part that a lane takes: everything for a single lane, the smallest part until the number of
   * lanes is settled, and then shares of the rest, which get smaller towards the end.
   */
  #share(): number {
    if (!this.#growth) return Number.POSITIVE_INFINITY
    const { lanes, isSettled } = this.#growth
    if (!isSettled) return SMALLEST_SPAN_BYTES
    if (lanes === 1) return Number.POSITIVE_INFINITY
    const left = this.#gaps.reduce((sum, { start, end }) => sum + end - start, 0)
    return Math.min(Math.max(Math.floor(left / (2 * lanes)), SMALLEST_SPAN_BYTES), LARGEST_SPAN_BYTES)
  }

  /** Fetches a part. It updates `rest` while it runs, so `rest` is always what is still missing of the part. */
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
          `${this.sink.received} bytes of ${this.request.path} were received, but the Hub stated ${this.request.size}`,
        )
    })
  }

  /** A connection that breaks in the middle of a body is a broken download. It must not be reported as an unreachable Hub. */
  async *#chunks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      if (!isNetworkError(error)) throw error
      throw new BrokenDownloadError(`The download of ${this.request.path} was interrupted: ${rootMessage(error)}`)
    }
  }

  async #open(rest: Span, signal: AbortSignal): Promise<Opened> {
    if (!this.#isFirst) return this.source.next(rest, signal)
    this.#isFirst = false
    const opened = await this.source.first(rest, signal)
    // The server sends the whole file from its beginning: no part is left for other lanes.
    if (opened.span.start !== rest.start || opened.span.end !== rest.end) this.#gaps = []
    Object.assign(rest, opened.span)
    return opened
  }

  async #receive(chunk: Uint8Array, rest: Span, watch: StallWatch): Promise<void> {
    const { request, sink } = this
    watch.saw(chunk.byteLength)
    if (chunk.byteLength > rest.end - rest.start) {
      if (this.#lanes === 1) await forget(request, sink)
      throw new SizeMismatchError(
        `${request.path} is longer than the ${request.size} bytes that the Hub stated`,
        `more than ${request.size} bytes`,
      )
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
