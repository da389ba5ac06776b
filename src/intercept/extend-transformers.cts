// Finds the sources of transformers.js, and changes them.
import attach = require('./attach-transformers.cts')
import former = require('./attach-transformers-3.cts')

type AttachMocks = typeof import('./attach-mocks.cts')

// The module that reads models. Up to 3.4 the bundle has no `node` in its name. Before 3 it is a source file.
const SOURCES =
  /[\\/](@huggingface[\\/]transformers[\\/]dist[\\/]transformers(\.node)?\.[cm]js|@xenova[\\/]transformers[\\/]src[\\/]utils[\\/]hub\.js)$/

function isTransformers(path: unknown): boolean {
  const text = addressOf(path)
  return typeof text === 'string' && text.includes('transformers') && SOURCES.test(text)
}

/** The URL of the first argument of `fetch`. Not by instanceof: a URL may be of another realm, or of the window of happy-dom. */
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
  // Not part of the preload: most runs do not need it.
  const mocks: AttachMocks = require('./attach-mocks.cjs')
  return mocks.withMocks(source) + attach.MARK
}

export = { isTransformers, addressOf, extended }
