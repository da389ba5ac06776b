import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fault, type Hub, type LoggedRequest, startHub } from '../hub/index.ts'
import { type MadeModel, makeEmbeddingModel } from '../model-maker/index.ts'
import { CLIENTS, type ClientName, type Outcome } from './clients.ts'
import { type Disk, inspectDisk } from './disk.ts'
import type { Row } from './rows.ts'

/** What one client made of one run. */
export interface Run extends Disk {
  outcome: Outcome
  /** How often it asked for the file that the fault is put on. */
  requests: number
  /** Bytes of that file that were sent. */
  bytes: number
  /** True when it asked for the rest of it. */
  isResumed: boolean
}

/** A run that meets the fault, and the next one without it, over the same cache. */
export interface Cell {
  faulty: Run
  next: Run
}

export interface Measured {
  /** For each client its cells, in the order of the rows. */
  cells: Record<ClientName, Cell[]>
  /** Bytes of each file of the model. */
  sizes: ReadonlyMap<string, number>
}

// Slow enough for a client to have read most of what came before a connection breaks: a second for the model.
const BYTES_PER_SECOND = 2_000_000

/** Has every client meet every fault, on repos and in cache folders of their own. */
export async function measure(rows: Row[]): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'fault table '))
  const hub = await startHub()
  try {
    const model = await makeEmbeddingModel(join(folder, 'model'), { size: 2_000_000 })
    const contents = await contentsOf(model)
    const bench = new Bench(hub, folder, model, contents, rows)
    // Ours is alone, so that it feels no stall but the Hub's.
    const [ours = []] = await bench.measure('ours')
    const [peerHub = [], transformers = []] = await bench.measure('hub', 'transformers')
    const sizes = new Map([...contents].map(([file, { length }]) => [file, length]))
    return { cells: { ours, hub: peerHub, transformers }, sizes }
  } finally {
    await hub.close()
    await rm(folder, { recursive: true, force: true })
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

  /** The cells of some clients, which run side by side. */
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

  /** Makes the repo of a cell, and its fault; gives back what takes the fault out again. */
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

  /** What meets the fault. The one byte by which @huggingface/hub learns the size of a file is no body to spoil. */
  private matcher(client: ClientName, index: number): (request: LoggedRequest) => boolean {
    const isProbeSpared = isOfBody(this.rows[index]?.fault)
    return (request) => this.isAbout(client, index, request) && !(isProbeSpared && request.range === 'bytes=0-0')
  }

  /** Without this, the table could be about what never happened. */
  private expectMet(client: ClientName, { name, fault }: Row, index: number): void {
    const isMet = this.hub.requests.some((request) => request.fault && this.isAbout(client, index, request))
    if (fault !== undefined && !isMet) throw new Error(`${client} did not meet: ${name}`)
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
  throw new Error('A client gave fewer outcomes than it had jobs')
}

async function contentsOf({ directory, files }: MadeModel): Promise<Map<string, Buffer>> {
  const contents = files.map(async (file): Promise<[string, Buffer]> => [file, await readFile(join(directory, file))])
  return new Map(await Promise.all(contents))
}
