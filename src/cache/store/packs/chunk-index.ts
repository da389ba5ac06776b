import { join } from 'node:path'
import type { ChunkId } from '../../../model/chunk-id.ts'
import { isAbsent } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'
import { isPackName } from '../own-names.ts'
import { readIndex, type StoredChunk } from './pack-file.ts'

/** A chunk, and the pack file that has it. */
export interface FoundChunk extends StoredChunk {
  path: string
}

/** The chunks of all pack files. A pack file is read when a chunk was not found in the ones before. */
export class ChunkIndex {
  readonly #chunks = new Map<ChunkId, FoundChunk>()
  readonly #unread: string[]
  readonly #layout: Layout

  constructor(layout: Layout) {
    this.#layout = layout
    this.#unread = packNames(layout)
  }

  find(id: ChunkId): FoundChunk | undefined {
    for (;;) {
      const found = this.#chunks.get(id)
      if (found) return found
      const name = this.#unread.pop()
      if (name === undefined) return undefined
      this.add(name, indexOf(this.#layout, name) ?? [])
    }
  }

  add(name: string, chunks: readonly StoredChunk[]): void {
    const path = join(this.#layout.packs, name)
    for (const chunk of chunks) if (!this.#chunks.has(chunk.id)) this.#chunks.set(chunk.id, { ...chunk, path })
  }
}

export function packNames(layout: Layout): string[] {
  return entriesIn(layout.packs).flatMap(({ name }) => (isPackName(name) ? [name] : []))
}

/** Undefined for a pack file that is damaged or of a newer version, and for one that was removed meanwhile. */
export function indexOf(layout: Layout, name: string): StoredChunk[] | undefined {
  try {
    return readIndex(join(layout.packs, name))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
