import type { Tokens } from './access.ts'
import type { Fault, FaultOptions } from './faults.ts'
import { Listener } from './listener.ts'
import { Reception } from './reception.ts'
import { type RepoOptions, Repository } from './repository.ts'
import type { LoggedRequest, RequestMatcher } from './request-log.ts'
import type { HubState } from './routes.ts'
import type { ThrottleSettings } from './throttle.ts'

export type { FileSource } from './content.ts'
export type { AnswerFault, BodyFault, DelayFault, Fault, FaultOptions } from './faults.ts'
export type { CommitChange, CommitInfo, RepoOptions, Repository } from './repository.ts'
export type { LoggedRequest, Origin, RequestKind, RequestMatcher, RequestPattern } from './request-log.ts'
export type { ThrottleSettings } from './throttle.ts'

export interface HubOptions extends Tokens {
  /** The number of entries on a page of a tree listing. Default 1000, as on the Hub. */
  treePageSize?: number
  /**
   * The host name of the CDN in URLs. Default 127.0.0.1, as for the Hub, but on another port. Python's huggingface_hub compares
   * host names without ports (`_is_same_or_hub_host` in utils/_http.py, 2.0.0), so it recognizes the CDN only with `localhost`.
   */
  cdnHost?: 'localhost' | '127.0.0.1'
}

/** Starts a local server that behaves as huggingface.co and its CDN, on two ports of the loopback interface. */
export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const { treePageSize = 1000, cdnHost = '127.0.0.1', ...tokens } = options
  const state: HubState = {
    hubUrl: '',
    cdnUrl: '',
    treePageSize,
    tokens,
    repositories: new Map(),
    renamed: new Map(),
    lfs: new Map(),
  }
  const desk = new Reception(state)
  const hub = await Listener.start((request, response) => desk.receive('hub', request, response), '127.0.0.1')
  const cdn = await Listener.start((request, response) => desk.receive('cdn', request, response), cdnHost)
  state.hubUrl = hub.url
  state.cdnUrl = cdn.url
  return new Hub(state, desk, [hub, cdn])
}

export class Hub {
  /** `http://127.0.0.1:port`, without a slash at its end. */
  readonly url: string
  /** The origin that serves LFS files. */
  readonly cdnUrl: string
  private readonly state: HubState
  private readonly desk: Reception
  private readonly listeners: readonly Listener[]

  constructor(state: HubState, desk: Reception, listeners: readonly Listener[]) {
    this.url = state.hubUrl
    this.cdnUrl = state.cdnUrl
    this.state = state
    this.desk = desk
    this.listeners = listeners
  }

  /** The token with access to private and gated repos. */
  get token(): string | undefined {
    return this.state.tokens.token
  }

  addRepo(name: string, options: RepoOptions = {}): Repository {
    const { repositories, renamed, lfs } = this.state
    if (repositories.has(name)) throw new Error(`The hub has ${name} already`)
    const repository = new Repository(name, options, (sha256, content) => lfs.set(sha256, content))
    repositories.set(name, repository)
    renamed.delete(name)
    return repository
  }

  /** Renames a repo. Requests for the old name are redirected to the new one. */
  renameRepo(oldName: string, newName: string): void {
    const { repositories, renamed } = this.state
    const repository = repositories.get(oldName)
    if (!repository) throw new Error(`The hub has no ${oldName}`)
    if (repositories.has(newName)) throw new Error(`The hub has ${newName} already`)
    repository.name = newName
    repositories.delete(oldName)
    repositories.set(newName, repository)
    for (const [older, name] of renamed) if (name === oldName) renamed.set(older, newName)
    renamed.set(oldName, newName)
    renamed.delete(newName)
  }

  /** All requests since the start or the last `clearRequests`, in the order of arrival. */
  get requests(): readonly LoggedRequest[] {
    return this.desk.log.requests
  }

  clearRequests(): void {
    this.desk.log.requests = []
  }

  /** The sum of sent body bytes over the requests that match. */
  bytesSent(matcher: RequestMatcher = {}): number {
    return this.desk.log.bytesSent(matcher)
  }

  /** The first logged request that matches, or else the next one that arrives. */
  waitForRequest(matcher: RequestMatcher = {}): Promise<LoggedRequest> {
    return this.desk.log.waitFor(matcher)
  }

  /** Settles when no request is in progress. */
  idle(): Promise<void> {
    return this.desk.log.idle()
  }

  /** Installs a fault. Returns a function that removes it. */
  fault(matcher: RequestMatcher, fault: Fault, options?: FaultOptions): () => void {
    return this.desk.faults.install(matcher, fault, options)
  }

  /** Replaces all limits: those that are not given are removed. */
  throttle(settings: ThrottleSettings): void {
    this.desk.throttle.settings = settings
  }

  /** Closes all connections and refuses new ones (ECONNREFUSED) until `resumeListening`. */
  async stopListening(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.stop()))
  }

  /** Listens again on the same ports. */
  async resumeListening(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.resume()))
  }

  /** Closes all connections. Responses in progress end, and so do their timers. */
  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.end()))
    await this.idle()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
