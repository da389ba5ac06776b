import { buffer } from 'node:stream/consumers'
import type { UserRemote } from '../../src/index.ts'
import { sha256 } from './engine.ts'

/** A remote in memory. Tests put faulty methods in place of its own. */
export class MemoryRemote implements UserRemote {
  readonly name = 'memory'
  /** The calls so far, such as `put models/…`. */
  readonly calls: string[] = []

  constructor(readonly objects = new Map<string, Uint8Array>()) {}

  async has(key: string): Promise<boolean | { size: number }> {
    this.calls.push(`has ${key}`)
    const object = this.objects.get(key)
    return object ? { size: object.byteLength } : false
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.calls.push(`get ${key}`)
    return this.objects.get(key)
  }

  async put(key: string, body: Parameters<UserRemote['put']>[1], _: { signal: AbortSignal }): Promise<unknown> {
    this.calls.push(`put ${key}`)
    this.objects.set(key, await buffer(body.open()))
    return 'written'
  }

  /** The sorted keys of all objects. */
  get keys(): string[] {
    return [...this.objects.keys()].sort()
  }

  /** The sha256 of each object. */
  get digests(): Record<string, string> {
    return Object.fromEntries([...this.objects].map(([key, bytes]) => [key, sha256(bytes)]))
  }
}
