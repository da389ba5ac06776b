import type { IncomingMessage } from 'node:http'

// A query lists paths of a repo.
const LARGEST_BYTES = 1 << 20

/** The body of a request as text. Undefined for one that is too large: it is then not read to its end. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let [body, bytes] = ['', 0]
  // Bytes that a character is cut at wait for the next chunk.
  const decoder = new TextDecoder()
  // The connection has to stay open for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > LARGEST_BYTES) return undefined
    body += decoder.decode(chunk, { stream: true })
  }
  return body + decoder.decode()
}
