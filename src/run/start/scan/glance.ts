import type { Expression, Facts } from './facts.ts'
import { isLikeId, partsOf } from './keep-needed.ts'

// A glance at a text spares the parser for most files: it loads in 40 ms, and takes 1 to 5 ms a file. A glance finds too much rather than
// too little, and decides only which files are parsed.

const IMPORTS = /\b(?:from|import|require)\s*\(?\s*(?:\/\*[^*]*\*\/\s*)?(['"`])([^'"`\n]+)\1/g
const WORDS =
  /from_pretrained|\.allowRemoteModels|\.localModelPath|\bpipeline\b|\bmodels\b|huggingface|\bhf\.co\b|downloadFile|snapshotDownload|import\(\s*[^'"`\s/]/
const TEXTS = /(['"`])(\w[\w.-]*\/[\w./@-]+)\1/g

/** The imports of a file, without its values. `isWhole` is false if a parser has to read the file. */
export function glanceAt(text: string): Facts {
  const imports = [...text.matchAll(IMPORTS)].map(([, , specifier = '']) => specifier)
  const rest = text.replaceAll(IMPORTS, '')
  const isWhole = !WORDS.test(rest) && ![...rest.matchAll(TEXTS)].some(([, , text = '']) => isLikeId(text))
  return { ...NO_FACTS, isParsed: false, isWhole, imports: [...new Set(imports)] }
}

const NO_FACTS: Facts = {
  ...{ isParsed: true, isWhole: true, imports: [], names: {}, exports: {}, stars: [], calls: [], uses: [] },
  ...{ mocks: [], hasHttpMock: false, hasOwnModels: false },
}

/** The facts of a file that can't be read. */
export const UNREADABLE: Facts = { ...NO_FACTS, isWhole: false }

/** The facts of a JSON file. Throws `SyntaxError`. */
export function factsOfJson(text: string): Facts {
  const value = expressionOfJson(JSON.parse(text), 0)
  const fields = typeof value === 'object' && value !== null && 'fields' in value ? value.fields : {}
  return { ...NO_FACTS, exports: { ...fields, default: value } }
}

const DEEPEST_JSON = 6

function expressionOfJson(value: unknown, depth: number): Expression {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value !== 'object' || value === null || depth > DEEPEST_JSON) return null
  if (Array.isArray(value)) return { items: value.map((item) => expressionOfJson(item, depth + 1)) }
  const entries = Object.entries(value).map(([key, field]) => [key, expressionOfJson(field, depth + 1)])
  return { fields: Object.fromEntries(entries), isOpen: false }
}

/** True if a file may say something about models. So files that import it have to be parsed too. */
export function hasNames({ isParsed, isWhole, calls, uses, exports, names, hasOwnModels }: Facts): boolean {
  if (!isParsed) return !isWhole
  return (
    hasOwnModels ||
    calls.some(({ loader }) => loader !== undefined) ||
    [...uses.map(({ value }) => value), ...Object.values(exports), ...Object.values(names)].some(hasId)
  )
}

function hasId(value: Expression): boolean {
  return typeof value === 'string' ? isLikeId(value) : partsOf(value).some(hasId)
}
