// Finds the sources of transformers.js.

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

export = { isTransformers, addressOf }
