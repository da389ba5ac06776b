/** What went wrong below HTTP: no connection, one that broke, or what is no HTTP. The reason is the cause. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  constructor(cause: unknown) {
    super('no answer over HTTP', { cause })
  }
}
