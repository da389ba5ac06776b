import type { HubAccess } from '../../hub/http.ts'
import { mayRead } from '../../hub/may-read.ts'
import type { Digest } from '../../model/digest.ts'
import { messageOf, nameOf } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { describeModel, type Model } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import type { Remote } from '../../remote/remote.ts'
import type { CacheContext } from '../context/context.ts'
import type { Resolved } from './resolve.ts'

interface Asked {
  model: Model
  resolved: Resolved
  hub: HubAccess
  signal?: AbortSignal
}

/** What the remote has of one model. */
export class ModelOnRemote {
  /** Why its files must not be taken from the remote: a sentence without its full stop. Undefined if they may, or if nobody asked. */
  refusal: string | undefined
  readonly #context: CacheContext
  readonly #asked: Asked
  #small: Promise<Map<Digest, Uint8Array>> | undefined
  #isAllowed: Promise<boolean> | undefined

  constructor(context: CacheContext, asked: Asked) {
    this.#context = context
    this.#asked = asked
  }

  /**
   * The remote, if files of the model may be taken from it. Their digests must be stated by the endpoint, by the lock file, or by a signed
   * listing. A model that is not public is taken only if the Hub lets this machine read `path`.
   */
  async open(path: HubPath): Promise<Remote | undefined> {
    const { endpoint, lockfile, signedIn } = this.#asked.resolved
    if ([endpoint, lockfile, signedIn].every((statedBy) => statedBy === undefined)) return undefined
    const remote = await this.#context.remote()
    if (!remote?.isAsked) return undefined
    // Everybody may read the model card of a gated repo. It says nothing about the other files.
    if (path === 'README.md') return (await (this.#isAllowed ?? this.#mayTake(path))) ? remote : undefined
    this.#isAllowed ??= this.#mayTake(path)
    return (await this.#isAllowed) ? remote : undefined
  }

  /** The bytes of a small file, from the object that has all small files of the model. Their digest is right. */
  async small(remote: Remote, digest: Digest): Promise<Uint8Array | undefined> {
    this.#small ??= this.#readBundle(remote)
    return (await this.#small).get(digest)
  }

  async #mayTake(path: HubPath): Promise<boolean> {
    const { model, resolved, hub, signal } = this.#asked
    const { debug, options } = this.#context
    if (resolved.info?.access === 'public') return true
    const refuse = (why: string) => {
      this.refusal = `${describeModel(model)} is not public, and is not taken from the remote: ${why}`
      debug(`${this.refusal}.`)
      return false
    }
    if (options.offline) return refuse('the cache is offline')
    try {
      const { commit } = resolved
      const may = await mayRead(hub, { repo: model.repo, commit, path, signal, stallMs: options.stallMs })
      return may || refuse(`${hub.endpoint} does not let this machine read it`)
    } catch (error) {
      signal?.throwIfAborted()
      return refuse(`${hub.endpoint} did not say that this machine may read it (${messageOf(error)})`)
    }
  }

  async #readBundle(remote: Remote): Promise<Map<Digest, Uint8Array>> {
    const { model, resolved, signal } = this.#asked
    const { endpoint } = this.#context.options.hub
    const [{ bundleKey }, { readBundle }] = await Promise.all([
      import('../../remote/keys.ts'),
      import('../../remote/small-bundle.ts'),
    ])
    try {
      const key = bundleKey({ endpoint, repo: model.repo, commit: resolved.commit })
      const bundle = await readBundle(remote, key, { signal: signal ?? new originals.AbortController().signal })
      return bundle ?? new Map()
    } catch (error) {
      signal?.throwIfAborted()
      const reason = `The small files of ${describeModel(model)}: ${messageOf(error)}`
      if (nameOf(error) === 'NewerObject') this.#context.debug(reason)
      else if (nameOf(error) === 'UnusableObject') remote.noteWrong(reason)
      else remote.noteFailure(reason)
      return new Map()
    }
  }
}
