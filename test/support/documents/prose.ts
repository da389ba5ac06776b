import { marked, type Token, type Tokens } from 'marked'

/** The sentences of a Markdown text: of paragraphs, items of lists and cells of tables. A span of code counts as one word. */
export function sentencesOf(markdown: string): string[] {
  return marked.lexer(markdown).flatMap(textsOf).flatMap(split)
}

export function wordsIn(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length
}

function textsOf(token: Token): string[] {
  switch (token.type) {
    case 'paragraph':
    case 'text':
      return [inline(token)]
    case 'table': {
      const { header, rows } = token as Tokens.Table
      return [header, ...rows].flat().map((cell) => cell.tokens.map(inline).join(''))
    }
    case 'list':
      return (token as Tokens.List).items.flatMap(({ tokens }) => tokens.flatMap(textsOf))
    case 'blockquote':
      return (token as Tokens.Blockquote).tokens.flatMap(textsOf)
    default:
      return []
  }
}

function inline(token: Token): string {
  if (token.type === 'codespan') return 'Code'
  if ('tokens' in token && token.tokens) return token.tokens.map(inline).join('')
  return 'text' in token ? token.text : ''
}

function split(text: string): string[] {
  return text.split(/(?<=[.!?][)"'*_]*)\s+(?=[\p{Lu}`"'(])/u).filter((sentence) => wordsIn(sentence) > 0)
}
