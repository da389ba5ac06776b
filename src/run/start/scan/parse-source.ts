import { type ParserOptions, type ParserPlugin, parse } from '@babel/parser'
import type { File } from '@babel/types'

const ACCEPTED: ParserOptions = {
  sourceType: 'unambiguous',
  // A file that the test runner refuses is read as far as it goes.
  errorRecovery: true,
  attachComment: false,
  allowAwaitOutsideFunction: true,
  allowImportExportEverywhere: true,
  allowNewTargetOutsideFunction: true,
  allowReturnOutsideFunction: true,
  allowSuperOutsideMethod: true,
  allowUndeclaredExports: true,
}
const PROPOSALS: ParserPlugin[] = ['decorators-legacy', 'decoratorAutoAccessors', 'explicitResourceManagement']

/** The syntax tree of a module: TypeScript or JavaScript, with JSX, Flow and decorators. Throws if the text is nothing of that. */
export function parseSource(text: string, path: string): File {
  const parseAs = (...plugins: ParserPlugin[]) => parse(text, { ...ACCEPTED, plugins: [...PROPOSALS, ...plugins] })
  if (/\.[cm]?ts$/.test(path)) return parseAs('typescript')
  if (path.endsWith('.tsx')) return parseAs('typescript', 'jsx')
  try {
    return parseAs('jsx', 'flow')
  } catch {
    return parseAs('jsx', 'typescript')
  }
}
