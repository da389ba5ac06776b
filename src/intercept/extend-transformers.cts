// Which sources are transformers.js's own, and what they become.
import attach = require('./attach-transformers.cts')
import former = require('./attach-transformers-3.cts')

type AttachMocks = typeof import('./attach-mocks.cts')

// The module that reads models: up to 3.4 of the package's own names, before 3 the file as it was written.
const SOURCES =
  /[\\/](@huggingface[\\/]transformers[\\/]dist[\\/]transformers(\.node)?\.[cm]js|@xenova[\\/]transformers[\\/]src[\\/]utils[\\/]hub\.js)$/

function isTransformers(path: unknown): boolean {
  const text = addressOf(path)
  return typeof text === 'string' && text.includes('transformers') && SOURCES.test(text)
}

/** By its shape: a URL may be of another realm, or of a window that put its own class in place of Node.js's (happy-dom). */
function addressOf(input: unknown): unknown {
  if (typeof input === 'string') return input
  const { href, url } = Object(input)
  return href === undefined ? url : href
}

function extended(source: unknown): unknown {
  const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')
  if (text.includes(attach.MARK)) return source
  const whole = isUnitMode() ? withMocks(text) : (former.attachToFormer(text) ?? text) + attach.SOURCE
  return typeof source === 'string' ? whole : Buffer.from(whole)
}

function isUnitMode(): boolean {
  const bridge: { mocks?: unknown } | undefined = Reflect.get(process, Symbol.for('vitest-model-cache.intercept'))
  return bridge?.mocks !== undefined
}

function withMocks(source: string): string {
  // Loaded in unit mode only.
  const mocks: AttachMocks = require('./attach-mocks.cjs')
  return mocks.withMocks(source) + attach.MARK
}

export = { isTransformers, addressOf, extended }
