import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { CachedModel } from '../../src/cache/index.ts'
import { matchesDigest } from '../../src/cache/store/blobs.ts'
import { isOwner, stateOf } from '../../src/cache/store/locks/owner.ts'
import { madeOf } from '../../src/cache/store/skeletons/trailer.ts'
import { digestOfBlobName } from '../../src/model/digest.ts'
import { contentsOf, type Engine } from './engine.ts'

/** The files of models by repo and path. The contents are latin1 text: one character for each byte. */
export type Models = Record<string, Record<string, string>>

export type Kind = 'corrupt' | 'half-visible' | 'lost' | 'stuck'

/** Reports one defect of a cache. */
export type Report = (kind: Kind, what: string) => void

// Work that takes longer counts as hanging. Blocking locks are found by `locks`, not by this time.
const GIVE_UP_MS = 60_000

/** Examines a cache after some of its processes were killed. No other process may use the cache at the same time. */
export class Examination {
  constructor(
    private readonly engine: Engine,
    private readonly models: Models,
    private readonly report: Report,
  ) {}

  /** Every visible file must be complete and right, and must belong to a model. */
  async files(): Promise<void> {
    for (const path of await this.engine.listing('hub').catch(() => [])) {
      const [folder = '', room = '', ...rest] = path.split('/')
      const repo = folder.replace('models--', '').replace('--', '/')
      if (room === 'snapshots') await this.#visible(repo, path, rest.slice(1).join('/'))
      else if (room === 'blobs' && path.endsWith('.mapped.onnx')) await this.#skeleton(path)
      else if (room === 'blobs') await this.#blob(path)
      else if (room === 'refs') await this.#ref(folder, path)
    }
  }

  /** Each lock must show that its owner is dead, so that other processes need not wait for its heartbeat to expire. */
  async locks(): Promise<void> {
    for (const path of (await this.engine.listing().catch(() => [])).filter(isLock)) {
      const owner: unknown = JSON.parse(await readFile(this.engine.inCache(path), 'utf8'))
      if (!isOwner(owner) || stateOf(owner) !== 'dead')
        this.report('stuck', `${path} does not say that its owner is dead`)
    }
  }

  /** The metadata must be an array of valid records, unless no model was ever downloaded. */
  async metadata(): Promise<void> {
    try {
      const records: unknown = await this.engine.records()
      const listed = await this.engine.open().list()
      if (!Array.isArray(records)) this.report('corrupt', 'The metadata is not an array')
      else if (records.length !== listed.length) this.report('corrupt', 'A record of the metadata is invalid')
    } catch (error) {
      const isNew = !(await stat(this.engine.inCache('cache.json')).catch(() => undefined))
      if (!isNew || !String(error).includes('ENOENT')) this.report('corrupt', `The metadata: ${error}`)
    }
  }

  /** Each model that is listed as complete must be served from disk, or from the pack files. All models of `kept` must be among them. */
  async entries(kept: string[]): Promise<void> {
    const listed = await this.#withoutWarning('list', () => this.engine.open().list())
    const complete = (listed ?? []).filter(
      ({ repo, files }) => files.size === Object.keys(this.models[repo] ?? {}).length,
    )
    const names: string[] = complete.map(({ repo }) => repo)
    for (const name of kept) if (!names.includes(name)) this.report('lost', `${name} is not listed`)
    this.engine.hub.clearRequests()
    for (const name of names) {
      const kind = kept.includes(name) ? 'lost' : 'half-visible'
      const model = await this.get(name)
      // A model that is packed is restored.
      if (model?.tier !== 'disk' && model?.tier !== 'cold')
        this.report(kind, `${name} is listed, but was served from the tier ${model?.tier}`)
    }
    for (const { path } of this.engine.hub.requests)
      this.report('half-visible', `${path} was requested, although its model is listed as complete`)
  }

  /** The model must be served with the right bytes. */
  async get(name: string): Promise<CachedModel | undefined> {
    const model = await this.#withoutWarning(`get ${name}`, () => this.engine.open().get(name))
    if (model && !isSame(await contentsOf(model), this.models[name] ?? {}))
      this.report('corrupt', `${name} was served with wrong bytes`)
    return model
  }

  /** All unprotected models must be removable: no lock of a dead process may prevent it. */
  async removable(kept: string[]): Promise<void> {
    await this.#withoutWarning('maintain', () => this.engine.open({ maxSize: 0 }).maintain())
    for (const { repo } of await this.engine.open().list())
      if (!kept.includes(repo)) this.report('stuck', `${repo} was not evicted`)
  }

  /** After the maintenance of a run and the removal of all models, no lock and no file of a model may be left. */
  async removeAll(): Promise<void> {
    await this.#withoutWarning('maintain', () => this.engine.open().maintain())
    const listed = await this.engine.open().list()
    await this.#withoutWarning('remove', () => this.engine.open().remove(...listed.map(({ repo }) => repo)))
    const left = await this.engine.listing()
    for (const path of left.filter((path) => /^(hub|cold)\//.test(path) || isLock(path)))
      this.report('stuck', `${path} is left after all models were removed`)
  }

  async #visible(repo: string, path: string, name: string): Promise<void> {
    if (!(name in (this.models[repo] ?? {}))) return this.report('half-visible', `${path} is not a file of ${repo}`)
    const blob = await realpath(this.engine.inCache('hub', path)).catch(() => undefined)
    if (!blob) return this.report('half-visible', `${path} is a dangling link`)
    if (!(await isRight(blob))) this.report('corrupt', `${path} does not have the digest in its blob's name`)
  }

  async #blob(path: string): Promise<void> {
    if (!(await isRight(this.engine.inCache('hub', path))))
      this.report('corrupt', `${path} does not have the digest in its name`)
  }

  /** A skeleton must be whole, and must be that of the blob beside it. A removal that was interrupted may have removed only the blob. */
  async #skeleton(path: string): Promise<void> {
    const source = madeOf(await readFile(this.engine.inCache('hub', path)))
    const blob = basename(path, '.mapped.onnx')
    const stats = await stat(this.engine.inCache('hub', dirname(path), blob)).catch(() => undefined)
    if (source?.digest !== digestOfBlobName(blob) || (stats && stats.size !== source?.size))
      this.report('corrupt', `${path} is not the skeleton of its blob`)
  }

  /** Other tools refuse a repo with a ref to a commit that has no snapshot. */
  async #ref(folder: string, path: string): Promise<void> {
    const commit = await readFile(this.engine.inCache('hub', path), 'utf8')
    const snapshot = await stat(this.engine.inCache('hub', folder, 'snapshots', commit)).catch(() => undefined)
    if (commit === '' || !snapshot || !path.endsWith('/refs/main'))
      this.report('half-visible', `${path} refers to ${JSON.stringify(commit)}, which has no snapshot`)
  }

  async #withoutWarning<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    const giveUp = new AbortController()
    const late = wait(GIVE_UP_MS, undefined, { signal: giveUp.signal }).then(
      () => this.report('stuck', `${what} took more than ${GIVE_UP_MS} ms`),
      () => undefined,
    )
    try {
      const result = await Promise.race([work(), late.then(() => undefined)])
      for (const warning of this.engine.warnings.splice(0)) this.report('corrupt', `${what} warns: ${warning}`)
      return result
    } catch (error) {
      this.report('stuck', `${what} failed: ${error}`)
      return undefined
    } finally {
      giveUp.abort()
    }
  }
}

function isLock(path: string): boolean {
  return /\.lock(\.takeover)*$/.test(path)
}

async function isRight(blob: string): Promise<boolean> {
  const digest = digestOfBlobName(basename(blob))
  return digest !== undefined && (await matchesDigest(blob, digest, (await stat(blob)).size))
}

function isSame(a: Record<string, string>, b: Record<string, string>): boolean {
  const paths = Object.keys(a)
  return paths.length === Object.keys(b).length && paths.every((path) => a[path] === b[path])
}
