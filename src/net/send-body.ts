import type { ClientRequest } from 'node:http'

/**
 * Sends the body of a request, and ends the request. A body that fails destroys the request with its error. If the server
 * answers before it has received everything, the rest is not sent, and the connection is closed after the answer.
 */
export function sendBody(sent: ClientRequest, body: string | AsyncIterable<Uint8Array> | undefined): void {
  if (typeof body === 'object') sendChunks(sent, body).catch((error) => void sent.destroy(error))
  else sent.end(body)
}

async function sendChunks(sent: ClientRequest, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let isOver = false
  let wake = () => {}
  const stop = () => {
    isOver = true
    wake()
  }
  sent.once('close', stop)
  sent.once('response', (message) => {
    if (!sent.writableEnded) message.once('close', () => sent.destroy())
    stop()
  })
  sent.on('drain', () => wake())
  for await (const chunk of chunks) {
    if (isOver) return
    if (sent.write(chunk)) continue
    await new Promise<void>((resolve) => {
      wake = resolve
    })
    if (isOver) return
  }
  sent.end()
}
