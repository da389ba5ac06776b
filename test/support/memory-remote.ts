import { buffer } from 'node:stream/consumers'
import type { UserRemote } from '../../src/index.ts'

/** A remote in memory. Tests put faulty methods in place of its own. */
export class MemoryRemote implements UserRemote {
  readonly name = 'memory'
  readonly objects = new Map<string, Uint8Array>()
  /** The calls so far, such as `put models/…`. */
  readonly calls: string[] = []

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
}
