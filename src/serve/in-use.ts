import { type EntryId, entryKey } from '../model/entry.ts'
import { originals } from '../platform/originals.ts'

interface Held {
  id: EntryId
  requests: number
  timer: NodeJS.Timeout | undefined
}

/** Which entries clients use. The engine claims an entry when it is asked for; `onIdle` is told when its claim can end. */
export class InUse {
  readonly #held = new Map<string, Held>()
  #uses = new Map<string, number>()

  constructor(
    /** Milliseconds from the last request for an entry to its end of use. A client asks for the files of a model one by one. */
    private readonly idleMs: number,
    private readonly onIdle: (id: EntryId) => void,
  ) {}

  /** Notes that a request uses an entry. Call the returned function when its response has ended. */
  hold({ repo, snapshot }: EntryId): () => void {
    const id = { repo, snapshot }
    const key = entryKey(id)
    const held = this.#held.get(key) ?? { id, requests: 0, timer: undefined }
    this.#held.set(key, held)
    held.requests++
    originals.clearTimeout(held.timer)
    return () => {
      held.requests--
      if (held.requests > 0) return
      held.timer = originals.setTimeout(() => this.#end(key, held), this.idleMs)
      held.timer.unref()
    }
  }

  /** Notes that a file of an entry was sent. */
  used(id: EntryId): void {
    const key = entryKey(id)
    this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1)
  }

  /** How often each entry was used since the last call, by `entryKey`. */
  takeUses(): ReadonlyMap<string, number> {
    const uses = this.#uses
    this.#uses = new Map()
    return uses
  }

  #end(key: string, held: Held): void {
    this.#held.delete(key)
    this.onIdle(held.id)
  }
}

/** What one request uses. */
export class Uses {
  readonly #releases: (() => void)[] = []
  #isOver = false

  constructor(private readonly inUse: InUse) {}

  /** Notes that the answer needs an entry. */
  hold(id: EntryId): void {
    const release = this.inUse.hold(id)
    if (this.#isOver) release()
    else this.#releases.push(release)
  }

  /** Notes that a file of an entry is sent. */
  used(id: EntryId): void {
    this.inUse.used(id)
  }

  /** Called when the response has ended. */
  end(): void {
    this.#isOver = true
    for (const release of this.#releases) release()
  }
}
