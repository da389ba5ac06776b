/** A response of the Hub with an error status, with the headers by which Python's huggingface_hub distinguishes errors. */
export class HubError extends Error {
  readonly status: number
  readonly headers: Record<string, string>

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** The codes that `hf_raise_for_status` in huggingface_hub/utils/_http.py looks for. */
export type ErrorCode = 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound' | 'GatedRepo'

export function codedError(
  status: number,
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
): HubError {
  return new HubError(status, message, { ...headers, 'X-Error-Code': code, 'X-Error-Message': message })
}

export function revisionNotFound(revision: string): HubError {
  return codedError(404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
}

/** States the commit in a header: huggingface_hub reads it to record that the file does not exist (`.no_exist`). */
export function entryNotFound(commit: string): HubError {
  return codedError(404, 'EntryNotFound', 'Entry not found', { 'X-Repo-Commit': commit })
}
