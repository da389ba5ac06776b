import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Answer } from '../intercept/answer.ts'
import { refusal } from '../intercept/refusal.ts'
import { sendAnswer } from '../intercept/send-answer.ts'
import { messageOf, systemCode } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { answerAsked } from './answer-asked.ts'
import { askedBy } from './asked.ts'
import { type Door, refusedAtTheDoor } from './check-request.ts'
import { type InUse, Uses } from './in-use.ts'
import { type Manner, refuse } from './refuse.ts'
import type { ServedModels } from './served-models.ts'
import { type Patience, whileWaiting } from './while-waiting.ts'

/** One request, when its response has ended. */
export interface RequestLine {
  /** The address of the client. */
  client: string
  method: string
  /** The path as it was sent, without the query. */
  path: string
  status: number
  /** Bytes that were sent, headers included. */
  bytes: number
  ms: number
  /** False if the connection was closed before the end. */
  isComplete: boolean
}

interface DeskSettings {
  models: ServedModels
  inUse: InUse
  door: Door
  manner: Manner
  patience: Patience
  onRequest: (line: RequestLine) => void
  /** Called with what the operator has to know: why the server could not answer. */
  onProblem: (message: string) => void
}

// A client that reads nothing for this long is gone. It would keep a file open.
const STALL_MS = 60_000
// Clients wait for the answer before they ask again on the same connection. Each request can have an open file.
const MOST_ON_CONNECTION = 4
// A browser must not take a file of a model for a page.
const NO_SNIFFING = { 'X-Content-Type-Options': 'nosniff' }

/** Answers the requests of clients. */
export class Desk {
  readonly #underWay = new WeakMap<Socket, number>()

  constructor(private readonly settings: DeskSettings) {}

  /** Answers one request. Settles when the response has ended or its connection is closed. Never throws. */
  async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket, method = '', url = '' } = request
    const count = (this.#underWay.get(socket) ?? 0) + 1
    if (count > MOST_ON_CONNECTION) return void socket.destroy()
    this.#underWay.set(socket, count)
    const [started, before] = [originals.monotonic(), socket.bytesWritten]
    const gone = new AbortController()
    const ended = endOf(response, socket).finally(() => gone.abort())
    const uses = new Uses(this.settings.inUse)
    // A lookup may take longer than its client waits.
    this.#answer(request, response, uses, gone.signal).catch(() => response.destroy())
    await ended
    uses.end()
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 1) - 1)
    this.settings.onRequest({
      ...{ client: socket.remoteAddress ?? '', method, path: url.split('?', 1)[0] ?? '' },
      ...{ status: response.headersSent ? response.statusCode : 0, bytes: socket.bytesWritten - before },
      ...{ ms: originals.monotonic() - started, isComplete: response.writableFinished },
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse, uses: Uses, gone: AbortSignal): Promise<void> {
    const { models, patience } = this.settings
    const waiting = { request, response, patience, secondsLeft: () => models.secondsLeft() }
    // A file can be removed between its lookup and the opening of it. Then it is looked up again.
    for (let isSecond = false; ; isSecond = true) {
      const answer = await whileWaiting(waiting, () => this.#answerTo(request, uses))
      if (gone.aborted) return
      try {
        response.setTimeout(STALL_MS)
        return await sendAnswer(response, answer, NO_SNIFFING, gone)
      } catch (error) {
        if (response.headersSent || gone.aborted) return void response.destroy()
        if (!isSecond && systemCode(error) === 'ENOENT') continue
        this.settings.onProblem(messageOf(error))
        const unreadable = refusal({ status: 503, said: 'The file can not be read now.' }, { isApi: false })
        return sendAnswer(response, unreadable, NO_SNIFFING)
      }
    }
  }

  async #answerTo(request: IncomingMessage, uses: Uses): Promise<Answer> {
    const { models, door, manner, onProblem } = this.settings
    const { method = '', url: target = '', headers } = request
    const refused = refusedAtTheDoor({ method, target, headers }, door)
    if (refused) return refused
    const isApi = target.startsWith('/api/')
    const asked = askedBy(target)
    if (typeof asked === 'string') return refusal(NOT_ASKED[asked], { isApi })
    if (asked.kind === 'file' && method === 'POST')
      return refusal({ status: 405, said: 'This server is read-only.' }, { isApi })
    try {
      return await answerAsked(models, asked, request, uses)
    } catch (error) {
      const answer = refuse(error, { ...asked, isApi }, manner)
      if ([500, 507].includes(answer.status)) onProblem(messageOf(error))
      return answer
    }
  }
}

const NOT_ASKED = {
  malformed: { status: 400, said: 'This is no address of a model or of a file in it.' },
  'other kind': { status: 404, said: 'Only models are served: no datasets, spaces or other repos.' },
  unknown: {
    status: 404,
    said: 'Only models are served, and only reads of them: their info, their files and lists of these.',
  },
}

/** Settles when a response has ended. One that waits behind another on its connection has no event when the connection is closed. */
function endOf(response: ServerResponse, socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      socket.off('close', end)
      resolve()
    }
    response.once('close', end)
    socket.once('close', end)
  })
}
