import type { RemoteStore } from '../../../src/remote/store.ts'
import type { FaultyProxy } from './faulty-proxy.ts'

/** A kind of store with a real server behind it. */
export interface Backend {
  name: string
  /** Why its server can't be started on this machine. The tests are then skipped, which is a failure in CI. */
  missing?: string
  start(): Promise<StartedBackend>
}

/** A server with room for any number of stores. */
export interface StartedBackend {
  /** Opens a store that nobody used before, or once again the one of this name: letters and digits. */
  open(name: string): Promise<RemoteStore> | RemoteStore
  /** Its address. */
  addressOf(name: string): URL
  /** The variables that a process needs to write. */
  env: Record<string, string>
  /** Stands before the server, and is at fault on request. Undefined: there is no HTTP. */
  proxy?: FaultyProxy
  close(): Promise<void>
}
