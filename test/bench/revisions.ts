// What a new revision of a large model costs with a remote: bytes that are sent and received, and time beside the whole file.
import { randomFillSync } from 'node:crypto'
import { cp, mkdir, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { removeFolder } from '../support/remove-folder.ts'
import { ColdProject } from './cold-project.ts'
import { cpuMs } from './cost-rows.ts'
import { makeFile } from './made-file.ts'
import { runProgram, type Told } from './programs.ts'
import { interleave, paired, sample } from './rounds.ts'
import type { BenchContext, Findings, Row } from './row.ts'

const FILE = 'onnx/model.onnx'
const PIECE = 1 << 20
/** Of the size. */
const MOST = 0.015

type Change = (from: string, to: string) => Promise<void>

/** 1% of the bytes, or one byte at the front. */
const CHANGES: Record<string, Change> = {
  contiguous: (from, to) => overwrite(from, to, 1),
  'in 10 places': (from, to) => overwrite(from, to, 10),
  '1 byte at the front': insert,
}

export async function revisions({ packageDirectory, isQuick, only }: BenchContext): Promise<Findings> {
  const bytes = isQuick ? 100_000_000 : 500_000_000
  const cold = await ColdProject.create(packageDirectory)
  try {
    const rows: Row[] = []
    for (const [name, change] of Object.entries(CHANGES))
      if (only?.includes(name) ?? true)
        rows.push(...(await new Revisions(cold, name, bytes).measure(change, isQuick ? 1 : 3)))
    return { rows }
  } finally {
    await cold.remove()
  }
}

async function overwrite(from: string, to: string, places: number): Promise<void> {
  await cp(from, to)
  const { size } = await stat(to)
  const bytes = Buffer.alloc(Math.floor(size / 100 / places))
  const file = await open(to, 'r+')
  for (let place = 0; place < places; place++)
    await file.write(randomFillSync(bytes), 0, bytes.length, Math.floor((size * (place + 0.5)) / places))
  await file.close()
}

async function insert(from: string, to: string): Promise<void> {
  const [source, target] = [await open(from), await open(to, 'w')]
  await target.writeFile('!')
  for await (const chunk of source.createReadStream({ highWaterMark: PIECE })) await target.writeFile(chunk)
  await target.close()
}

/** What a program did: bytes and milliseconds. */
type Done = Told<'ms' | 'sent' | 'received'>

interface Measured {
  /** Bytes that the store has more. */
  added: number
  packed: Done
  sent: Record<'difference' | 'whole', Done[]>
  received: Record<'difference' | 'whole', Done[]>
}

/** Two revisions of a model, and the machines of a team. */
class Revisions {
  readonly #folder: string

  constructor(
    readonly cold: ColdProject,
    readonly name: string,
    readonly bytes: number,
  ) {
    this.#folder = join(cold.project.directory, 'revisions')
  }

  async measure(change: Change, rounds: number): Promise<Row[]> {
    const [first, second] = ['first', 'second'].map((name) => join(this.#folder, name)) as [string, string]
    await makeFile(first, this.bytes)
    await change(first, second)
    const repo = `org/${this.name.replaceAll(' ', '-')}`
    const repository = this.cold.hub.addRepo(repo, { files: { [FILE]: { path: first } } })
    const before = `${repo}@${repository.commit}`
    await this.#warm('sender', before)
    await this.#push('sender', 'store')
    repository.addCommit({ files: { [FILE]: { path: second } } })
    const after = `${repo}@${repository.commit}`
    await this.#warm('sender', after)
    await this.#warm('sender of the whole', after)
    const earlier = await this.#bytesOf('store')
    let stores = 0
    const copy = async () => {
      const store = `store ${stores++}`
      await cp(join(this.#folder, 'store'), join(this.#folder, store), { recursive: true })
      return store
    }
    const sent = await interleave(
      {
        difference: async () => this.#push('sender', await copy()),
        whole: async () => this.#push('sender of the whole', `store ${stores++}`),
      },
      rounds,
    )
    const added = (await this.#bytesOf('store 0')) - earlier
    await this.#pull('packed', before, 'store 0')
    await this.#run('packed', 'store 0', 'pack.mjs')
    const packed = await this.#pull('packed', after, 'store 0')
    let machines = 0
    const received = await interleave(
      {
        difference: async () => {
          const machine = `machine ${machines++}`
          await this.#pull(machine, before, 'store 0')
          return this.#pull(machine, after, 'store 0')
        },
        whole: async () => this.#pull(`machine ${machines++}`, before, 'store 0'),
      },
      rounds,
    )
    await removeFolder(this.#folder)
    return this.#rows({ added, packed, sent, received })
  }

  #rows({ added, packed, sent, received }: Measured): Row[] {
    const bytes = (what: string, values: number[]): Row => {
      return { what: `${this.name}: ${what}`, unit: 'bytes', value: sample(values), atMost: MOST * this.bytes }
    }
    const time = (what: string, of: Measured['sent']): Row[] => [
      {
        what: `  ${what}: wall against the whole file`,
        unit: 'x',
        value: paired(of.difference.map(msOf), of.whole.map(msOf)),
      },
      { what: '  processor time', unit: 'x', value: paired(of.difference.map(processorMs), of.whole.map(processorMs)) },
      { what: '  difference: wall', unit: 'ms', value: sample(of.difference.map(msOf)) },
      { what: '  whole file: wall', unit: 'ms', value: sample(of.whole.map(msOf)) },
    ]
    return [
      bytes(
        'sent',
        sent.difference.map((done) => done.sent),
      ),
      bytes('added to the store', [added]),
      bytes(
        'received, with the earlier revision on disk',
        received.difference.map((done) => done.received),
      ),
      bytes('received, with it packed', [packed.received]),
      ...time('upload', sent),
      ...time('restore', received),
    ]
  }

  /** Downloads the model from the Hub. */
  async #warm(machine: string, model: string): Promise<void> {
    await runProgram(this.cold.project, ['get.mjs', model], { ...this.#env(machine), MODEL_CACHE_REMOTE: 'off' })
  }

  async #push(machine: string, store: string): Promise<Done> {
    await mkdir(join(this.#folder, store), { recursive: true })
    return this.#run(machine, store, 'push-told.mjs')
  }

  #pull(machine: string, model: string, store: string): Promise<Done> {
    return this.#run(machine, store, 'get.mjs', model)
  }

  #run(machine: string, store: string, ...args: string[]): Promise<Done> {
    const remote = pathToFileURL(join(this.#folder, store)).href
    return runProgram(this.cold.project, args, { ...this.#env(machine), MODEL_CACHE_REMOTE: remote })
  }

  #env(machine: string): Record<string, string> {
    return {
      ...this.cold.environment(join(this.#folder, machine)),
      MODEL_CACHE_MAX_SIZE: '9GB',
      MODEL_CACHE_MAX_AGE: '30d',
    }
  }

  async #bytesOf(store: string): Promise<number> {
    const entries = await readdir(join(this.#folder, store), { recursive: true, withFileTypes: true })
    const sizes = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => stat(join(parentPath, name)))
    return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0)
  }
}

function msOf({ ms }: Done): number {
  return ms
}

function processorMs(done: Done): number {
  return cpuMs(done) ?? Number.NaN
}
