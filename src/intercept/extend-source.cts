// Changes a source of transformers.js. It is no part of the preload: most processes load no transformers.js.
import attach = require('./attach-transformers.cts')
import former = require('./attach-transformers-3.cts')

type AttachMocks = typeof import('./attach-mocks.cts')

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
  // Most runs do not need it.
  const mocks: AttachMocks = require('./attach-mocks.cjs')
  return mocks.withMocks(source) + attach.MARK
}

export = { extended }
