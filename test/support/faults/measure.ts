import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fault, type Hub, type LoggedRequest, startHub } from '../hub/index.ts'
import { type MadeModel, makeEmbeddingModel } from '../model-maker/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { CLIENTS, type ClientName, type Outcome } from './clients.ts'
import { type Disk, inspectDisk } from './disk.ts'
import type { Row } from './rows.ts'

/** The result of one run of one client. */
export interface Run extends Disk {
  outcome: Outcome
  /** The number of its requests for the file with the fault. */
  requests: number
  /** The sent bytes of that file. */
  bytes: number
  /** True if the client requested the rest of that file with a range. */
  isResumed: boolean
}

/** A run with the fault, and the next run without it over the same cache. */
export interface Cell {
  faulty: Run
  next: Run
}

export interface Measured {
  /** The cells of each client, in the order of the rows. */
  cells: Record<ClientName, Cell[]>
  /** Bytes of each file of the model. */
  sizes: ReadonlyMap<string, number>
}

// Slow enough that a client has read most of the sent bytes before a connection breaks. The model takes a second.
const BYTES_PER_SECOND = 2_000_000

/** Runs every client with every fault. Each combination has its own repo and cache folder. */
export async function measure(rows: Row[]): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'fault table '))
  const hub = await startHub()
  try {
    const model = await makeEmbeddingModel(join(folder, 'model'), { size: 2_000_000 })
    const contents = await contentsOf(model)
    const bench = new Bench(hub, folder, model, contents, rows)
    // Our client runs alone, so that load of the machine does not look like a stall.
    const [ours = []] = await bench.measure('ours')
    const [peerHub = [], transformers = []] = await bench.measure('hub', 'transformers')
    const sizes = new Map([...contents].map(([file, { length }]) => [file, length]))
    return { cells: { ours, hub: peerHub, transformers }, sizes }
  } finally {
    await hub.close()
    await removeFolder(folder)
  }
}

class Bench {
  constructor(
    private readonly hub: Hub,
    private readonly folder: string,
    private readonly model: MadeModel,
    private readonly contents: ReadonlyMap<string, Buffer>,
    private readonly rows: Row[],
  ) {}

  /** The cells of some clients, which run at the same time. */
  async measure(...clients: ClientName[]): Promise<Cell[][]> {
    const mends = clients.flatMap((client) => this.rows.map((row, index) => this.prepare(client, row, index)))
    this.hub.throttle({ perConnection: BYTES_PER_SECOND })
    const faulty = await Promise.all(clients.map((client) => this.run(client, true)))
    for (const client of clients) for (const [index, row] of this.rows.entries()) this.expectMet(client, row, index)
    for (const mend of mends) mend()
    this.hub.throttle({})
    const next = await Promise.all(clients.map((client) => this.run(client, false)))
    return faulty.map((runs, client) =>
      runs.map((run, index) => ({ faulty: run, next: next[client]?.[index] ?? missing() })),
    )
  }

  /** Adds the repo of a cell and its fault. Returns a function that removes the fault. */
  private prepare(client: ClientName, { fault, times }: Row, index: number): () => void {
    this.hub.addRepo(repoOf(client, index), { directory: this.model.directory, pipelineTag: 'feature-extraction' })
    return fault === undefined ? () => undefined : this.hub.fault(this.matcher(client, index), fault, { times })
  }

  private async run(client: ClientName, isFaulty: boolean): Promise<Run[]> {
    const before = this.hub.requests.length
    const jobs = this.rows.map((row, index) => ({
      repo: repoOf(client, index),
      isEndless: isFaulty && row.isEndless,
      met: this.hub.waitForRequest(this.matcher(client, index)),
    }))
    const outcomes = await CLIENTS[client](this.hub.url, this.folder, jobs)
    const requests = this.hub.requests.slice(before)
    return Promise.all(
      outcomes.map(async (outcome, index) => {
        const disk = await inspectDisk(join(this.folder, repoOf(client, index)), this.contents)
        return { outcome, ...disk, ...trafficOf(requests.filter((request) => this.isAbout(client, index, request))) }
      }),
    )
  }

  private isAbout(client: ClientName, index: number, { repo, file }: LoggedRequest): boolean {
    return repo === repoOf(client, index) && file === this.rows[index]?.file
  }

  /** Matches the requests that get the fault. Body faults skip the one-byte request by which @huggingface/hub learns the size. */
  private matcher(client: ClientName, index: number): (request: LoggedRequest) => boolean {
    const isProbeSpared = isOfBody(this.rows[index]?.fault)
    return (request) => this.isAbout(client, index, request) && !(isProbeSpared && request.range === 'bytes=0-0')
  }

  /** Throws if the fault was not applied: the table would then show a run without the fault. */
  private expectMet(client: ClientName, { name, fault }: Row, index: number): void {
    const isMet = this.hub.requests.some((request) => request.fault && this.isAbout(client, index, request))
    if (fault !== undefined && !isMet) throw new Error(`The fault was not applied to ${client}: ${name}`)
  }
}

function repoOf(client: ClientName, index: number): string {
  return `${client}/row-${index}`
}

function isOfBody(fault: Fault | undefined): boolean {
  return typeof fault === 'object' && !['delayMs', 'status', 'html'].some((field) => field in fault)
}

function trafficOf(requests: LoggedRequest[]): Pick<Run, 'requests' | 'bytes' | 'isResumed'> {
  const files = requests.filter(({ status }) => status === 200 || status === 206)
  return {
    requests: requests.filter(({ kind }) => kind === 'resolve').length,
    bytes: files.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
    isResumed: requests.some(({ range = '' }) => /^bytes=[1-9]\d*-$/.test(range)),
  }
}

function missing(): never {
  throw new Error('A client returned fewer outcomes than it had jobs')
}

async function contentsOf({ directory, files }: MadeModel): Promise<Map<string, Buffer>> {
  const contents = files.map(async (file): Promise<[string, Buffer]> => [file, await readFile(join(directory, file))])
  return new Map(await Promise.all(contents))
}
