import type { Answer } from './answer.ts'

export interface RefusalParts {
  status: number
  /** `X-Error-Code`, as the Hub sends it. */
  errorCode?: string
  /** One line for the user. Clients show it. */
  said?: string
}

/** A refusal in the form of the Hub: JSON from the API, a text for a file. */
export function refusal({ status, errorCode, said }: RefusalParts, { isApi }: { isApi: boolean }): Answer {
  const headers: Record<string, string> = { 'Content-Type': isApi ? 'application/json' : 'text/plain; charset=utf-8' }
  if (errorCode !== undefined) headers['X-Error-Code'] = errorCode
  // Other characters are not allowed in a header.
  if (said !== undefined && /^[\x20-\x7e]*$/.test(said)) headers['X-Error-Message'] = said
  const body = isApi ? JSON.stringify({ error: said ?? `HTTP ${status}` }) : (said ?? '')
  return { status, headers, body }
}
