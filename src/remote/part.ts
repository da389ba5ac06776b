/** The bytes of an object from `start` up to, but not including, `end`. `chunks` has all its bytes. */
export async function* part(
  chunks: AsyncIterable<Uint8Array>,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const chunk of chunks) {
    const wanted = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at))
    at += chunk.byteLength
    if (wanted.byteLength > 0) yield wanted
    if (at >= end) return
  }
}
