import { cutChunks } from './chunker.mjs'

/** The chunks of bytes that arrive in pieces, in order. Each piece gives some chunks, or none. The pieces must keep their bytes. */
export async function* cutPieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array()
  for await (const piece of pieces) {
    const cut = cutChunks(rest.length === 0 ? piece : Buffer.concat([rest, piece]), false)
    rest = cut.rest
    if (cut.chunks.length > 0) yield cut.chunks
  }
  if (rest.length > 0) yield cutChunks(rest, true).chunks
}
