import { gitSha1, sha256 } from './engine.ts'

/** The kind of a request to a Hub. */
export type Kind = 'info' | 'tree' | 'file'

/** A request and the right response to it. */
export interface Exchange {
  kind: Kind
  repo: string
  path: string
  /** The number of earlier requests of the same kind for the same repo. */
  number: number
  /** The JSON value of `info` and `tree`, the content of a `file`. */
  right: unknown
}

const COMMIT = '0123456789abcdef0123456789abcdef01234567'

/**
 * A Hub that responds without a network. Every repo has the same files. `answer` may replace the right response.
 * `tokensTo` are the origins that a token was sent to.
 */
export class FakeHub {
  readonly endpoint = 'https://hub.example'
  readonly tokensTo = new Set<string>()
  readonly #counts = new Map<string, number>()

  constructor(
    readonly files: Record<string, string>,
    readonly answer: (exchange: Exchange) => Response | undefined,
  ) {}

  readonly fetch: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted()
    const url = new URL(input instanceof Request ? input.url : input)
    if (new Headers(init?.headers).has('Authorization')) this.tokensTo.add(url.origin)
    const exchange = this.#exchange(decodeURIComponent(url.pathname))
    return this.answer(exchange) ?? rightAnswer(exchange)
  }

  #exchange(pathname: string): Exchange {
    const [, repo = '', , path = ''] =
      /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\//.exec(pathname) ??
      /^\/([^/]+\/[^/]+)\/(resolve)\/[^/]+\/(.*)$/.exec(pathname) ??
      []
    const kind = pathname.includes('/revision/') ? 'info' : path === '' ? 'tree' : 'file'
    const number = this.#counts.get(`${kind} ${repo}`) ?? 0
    this.#counts.set(`${kind} ${repo}`, number + 1)
    return { kind, repo, path, number, right: this.#right(kind, repo, path) }
  }

  #right(kind: Kind, repo: string, path: string): unknown {
    if (kind === 'file') return this.files[path]
    if (kind === 'tree') return Object.entries(this.files).map(([path, content]) => treeItem(path, content))
    const access = { private: false, gated: false, downloads: 1, likes: 1, lastModified: '2026-01-15T10:30:00.000Z' }
    return { _id: 'x', id: repo, sha: COMMIT, pipeline_tag: 'feature-extraction', ...access }
  }
}

export function rightAnswer({ kind, right }: Exchange): Response {
  if (right === undefined) return new Response('', { status: 404 })
  if (kind === 'file')
    return new Response(String(right), { headers: { 'Content-Length': String(right).length.toString() } })
  return Response.json(right)
}

function treeItem(path: string, content: string): object {
  const item = { type: 'file', path, size: content.length, oid: gitSha1(content) }
  const lfs = { oid: sha256(content), size: content.length, pointerSize: 130 }
  return path.endsWith('.onnx') ? { ...item, lfs, xetHash: sha256(path) } : item
}
