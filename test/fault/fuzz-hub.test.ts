import { describe, test } from 'vitest'
import { FUZZ_TIMEOUT, hostileText, mutate, mutation } from '../support/fuzz.ts'
import { checkResponses, HUB_FILES } from '../support/hostile-hub.ts'
import fc from '../support/property.ts'

/** Valid text of a header: HTTP clients refuse any other text. */
const headerText = fc
  .oneof(hostileText, fc.string({ unit: 'binary', maxLength: 30 }), fc.nat().map(String))
  .map((text) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, ''))

const listedPath = fc
  .oneof(
    hostileText,
    fc.integer({ min: 1, max: 8 }).map((count) => `${'../'.repeat(count)}beside/canary.txt`),
  )
  .filter((path) => path !== '' && !path.startsWith('!'))

describe('the Hub may respond to a request for a model with', () => {
  test(
    'any JSON',
    async () => {
      await checkResponses(160, {
        arbitrary: mutation,
        answer: ({ kind, right }, changes) => (kind === 'info' ? json(mutate(right, changes)) : undefined),
      })
    },
    FUZZ_TIMEOUT,
  )

  test(
    'text that is not JSON, once',
    async () => {
      await checkResponses(48, {
        arbitrary: fc.oneof(hostileText, fc.uint8Array({ maxLength: 30 }), fc.constant('<html>Log in</html>')),
        answer: ({ kind, number }, body) => (kind === 'info' && number === 0 ? new Response(body) : undefined),
      })
    },
    FUZZ_TIMEOUT,
  )
})

describe('the Hub may respond to a request for a listing with', () => {
  test(
    'any JSON',
    async () => {
      await checkResponses(90, {
        arbitrary: mutation,
        answer: ({ kind, right }, changes) => (kind === 'tree' ? json(mutate(right, changes)) : undefined),
      })
    },
    FUZZ_TIMEOUT,
  )

  test(
    'paths that lead out of the folder',
    async () => {
      await checkResponses(120, {
        arbitrary: fc.array(listedPath, { minLength: 1, maxLength: 2 }),
        answer: ({ kind, right, path }, paths) => {
          if (kind === 'tree') return json([right, paths.map((path) => ({ ...itemOf(right), path }))].flat())
          return kind === 'file' && paths.includes(path) ? new Response(HUB_FILES['config.json']) : undefined
        },
        // Each path is selected by its name: a glob would not match a path that leads upwards.
        model: (repo, paths) => ({ repo, files: ['config.json', ...paths] }),
      })
    },
    FUZZ_TIMEOUT,
  )

  test(
    'endless pages, and links to any address',
    async () => {
      const link = fc.oneof(
        fc.constantFrom(
          'https://hub.example/api/models/REPO/tree/main',
          'https://other.example/next',
          'file:///etc/passwd',
        ),
        fc.constantFrom('https://[bad', 'http://', 'https://user:pass@hub.example:99999/'),
        fc.webUrl(),
        headerText,
      )
      const header = fc.oneof(
        link.map((url) => `<${url}>; rel="next"`),
        headerText,
      )
      await checkResponses(80, {
        arbitrary: header,
        answer: ({ kind, right, repo }, link) =>
          kind === 'tree' ? Response.json(right, { headers: { Link: link.replace('REPO', repo) } }) : undefined,
      })
    },
    FUZZ_TIMEOUT,
  )
})

describe('the Hub may respond to a request for a file with', () => {
  test(
    'any headers: the file is downloaded, or the error states the reason',
    async () => {
      const headers = fc.dictionary(
        fc.constantFrom('Content-Length', 'Content-Range', 'Content-Encoding', 'ETag', 'Retry-After', 'X-Error-Code'),
        headerText,
        { noNullPrototype: true },
      )
      const status = fc.constantFrom(200, 200, 200, 201, 206, 299, 304, 400, 403, 404, 416, 451)
      await checkResponses(80, {
        arbitrary: fc.record({ headers, status }),
        answer: ({ kind, right, number }, { headers, status }) =>
          kind === 'file' && number === 0
            ? new Response(status === 304 ? null : String(right), { status, headers })
            : undefined,
      })
    },
    FUZZ_TIMEOUT,
  )

  test(
    'wrong bytes once: the right ones are downloaded',
    async () => {
      await checkResponses(48, {
        arbitrary: fc.oneof(fc.uint8Array({ maxLength: 500 }), fc.nat(10_000)),
        answer: ({ kind, number, right }, other) =>
          kind === 'file' && number === 0
            ? new Response(typeof other === 'number' ? changedAt(String(right), other) : other)
            : undefined,
        mustArrive: true,
      })
    },
    FUZZ_TIMEOUT,
  )
})

/** A text of the same length in which one byte differs. */
function changedAt(text: string, at: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new TextEncoder().encode(text))
  bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1
  return bytes
}

function json(value: unknown): Response {
  return new Response(JSON.stringify(value) ?? '')
}

function itemOf(list: unknown): object {
  const item: unknown = Array.isArray(list) ? list[0] : undefined
  return typeof item === 'object' && item !== null ? item : {}
}
