import { isObject, isText, isTexts } from '../../../model/json.ts'

/**
 * What a source file tells about models. It depends on the file's text alone, so it is kept until the file changes. Facts of several
 * files together say which models a test file names: see `named-models.ts`.
 */
export interface Facts {
  /** False if only the imports are known: the text has nothing that a parser would have to read. */
  isParsed: boolean
  /** False if a part of the file could not be read. */
  isWhole: boolean
  /** The modules that it imports, as they are written. */
  imports: string[]
  /** The values of names, wherever they are declared in the file. */
  names: Record<string, Expression>
  exports: Record<string, Expression>
  /** The modules of `export * from`. */
  stars: string[]
  calls: Call[]
  /** Values that are used in other places than the calls: perhaps ids of models. */
  uses: Use[]
  /** The modules that are replaced by mocks. */
  mocks: string[]
  /** True if requests over HTTP may be answered by the test itself. */
  hasHttpMock: boolean
  /** True if it sets where transformers.js takes models from: then it may ask no Hub. */
  hasOwnModels: boolean
}

/** A call that may load a model, or of a function that may contain such a call. */
export interface Call {
  /** Such as `pipeline`, `models.file`, `AutoTokenizer.from_pretrained`, `fetch`. Undefined for a function of the project. */
  loader?: string
  /** The called function. */
  callee?: Expression
  args: Expression[]
  /** The function that contains the call. */
  within?: string
  /** The full name of the test that contains the call. */
  test?: string
}

/** A value that may be the id of a model. */
export interface Use {
  value: Expression
  /** The full name of the test around. */
  test?: string
}

/** An expression, as far as it can be known without running it. `null` is unknown. */
export type Expression =
  | null
  | string
  | number
  | boolean
  /** The value of a name in the same file. */
  | { ref: string }
  /** What another module exports. `*` is the module itself. */
  | { from: string; name: string }
  | { get: Expression; key: string }
  /** An object. `isOpen`: it has further, unknown fields. */
  | { fields: Record<string, Expression>; isOpen: boolean }
  | { items: Expression[] }
  /** Any item of a list. `column`: a part of it if it is a list, as a table of tests has them. */
  | { each: Expression; column?: number }
  /** One of several values. */
  | { any: Expression[] }
  /** The parts of a text. */
  | { text: Expression[] }
  /** A value, or another one where it is undefined. */
  | { first: Expression; or: Expression }
  /** An argument of a function of the file. */
  | { param: number; of: string }
  /** A function of the file. */
  | { call: string }

const DEEPEST = 20

/** True for facts that an earlier run wrote. They are outside input. */
export function isFacts(value: unknown): value is Facts {
  if (!isObject(value)) return false
  const { isParsed, isWhole, imports, names, exports, stars, calls, uses, mocks, hasHttpMock, hasOwnModels } = value
  return (
    [isParsed, isWhole, hasHttpMock, hasOwnModels].every((flag) => typeof flag === 'boolean') &&
    [imports, stars, mocks].every(isTexts) &&
    [names, exports].every((table) => isRecord(table, 0)) &&
    Array.isArray(calls) &&
    calls.every(isCall) &&
    Array.isArray(uses) &&
    uses.every(isUse)
  )
}

function isUse(value: unknown): boolean {
  return isObject(value) && isExpression(value.value, 0) && (value.test === undefined || isText(value.test))
}

function isCall(value: unknown): boolean {
  if (!isObject(value) || !isList(value.args, 0)) return false
  const { loader, callee, within, test } = value
  const areTexts = [loader, within, test].every((text) => text === undefined || isText(text))
  return areTexts && (callee === undefined || isExpression(callee, 0))
}

function isExpression(value: unknown, depth: number): boolean {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return true
  if (!isObject(value) || depth > DEEPEST) return false
  if (isText(value.ref) || isText(value.call)) return true
  if (isText(value.from)) return isText(value.name)
  if (isText(value.of)) return typeof value.param === 'number'
  if (value.or !== undefined) return isList([value.first, value.or], depth + 1)
  if (isText(value.key)) return isExpression(value.get, depth + 1)
  if (value.fields !== undefined) return isRecord(value.fields, depth + 1)
  if (value.each !== undefined)
    return isExpression(value.each, depth + 1) && (value.column === undefined || typeof value.column === 'number')
  return [value.items, value.any, value.text].some((list) => isList(list, depth + 1))
}

function isList(value: unknown, depth: number): boolean {
  return Array.isArray(value) && value.every((item) => isExpression(item, depth))
}

function isRecord(value: unknown, depth: number): boolean {
  return isObject(value) && !Array.isArray(value) && Object.values(value).every((item) => isExpression(item, depth))
}
