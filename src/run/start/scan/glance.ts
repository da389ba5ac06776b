// A glance at a text spares the parser for most files: it loads in 40 ms, and takes 1 to 5 ms a file. A glance finds too much rather than
// too little, and decides only which files are parsed.

const TYPES =
  /\b(?:import|export)\s+type(?:of)?\s*(?:\{[^{}'"]*\}|\*(?:\s*as\s+[\w$]+)?|\s[\w$]+)\s*\bfrom\s*(['"])[^'"\n]+\1/g
const IMPORTS = /\b(?:from|import|require)\s*(?:\(\s*)?(?:\/\*[^*]*\*\/\s*)?(['"`])([^'"`\n]+)\1/g
const WORDS = /from_pretrained|\.(allowRemoteModels|localModelPath)\b|\bpipeline\b|\bmodels\b/
const TEXTS = /(['"`])(\w[\w.-]*\/[\w./@-]+)\1/g

// Media types and paths of files look like ids.
const NO_ID =
  /^(application|audio|font|image|multipart|text|video)\/|\.([cm]?[jt]sx?|json|md|css|html|txt|png|jpe?g|svg|wav|mp3)$/

/** A text that may be the id of a model: `org/name`, perhaps with a revision. */
export function isLikeId(text: string): boolean {
  return /^\w[\w.-]*\/\w[\w.-]*(@[\w./-]+)?$/.test(text) && !NO_ID.test(text)
}

/** The modules that a file imports, as they are written, and whether its text may name a model. */
export function glanceAt(text: string): { imports: string[]; hasNames: boolean } {
  const code = text.replaceAll(TYPES, '')
  const imports = new Set([...code.matchAll(IMPORTS)].map(([, , specifier = '']) => specifier))
  const rest = code.replaceAll(IMPORTS, '')
  const hasNames = WORDS.test(rest) || [...rest.matchAll(TEXTS)].some(([, , text = '']) => isLikeId(text))
  return { imports: [...imports], hasNames }
}
