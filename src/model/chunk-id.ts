import { createHash } from '../platform/late-crypto.ts'

/** The sha256 of a chunk, as a text of 32 characters of Latin-1. */
export type ChunkId = string & { readonly ChunkId: unique symbol }

export function chunkId(chunk: Uint8Array): ChunkId {
  return idFrom(createHash('sha256').update(chunk).digest())
}

export function idFrom(digest: Buffer): ChunkId {
  return digest.toString('latin1') as ChunkId
}
