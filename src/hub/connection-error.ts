/** A failure below HTTP: no connection, a broken connection, or a peer that does not speak HTTP. `cause` holds the reason. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  constructor(cause: unknown) {
    super('no HTTP response', { cause })
  }
}
