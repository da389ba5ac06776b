import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lexer, type Token, type Tokens, walkTokens } from 'marked'

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

/** A block of code, with the heading above it. */
export interface Block {
  document: string
  heading: string
  /** The first word after the fence; undefined for a block that is indented. */
  language: string | undefined
  /** The rest of the fence's line, such as `cold` or `warm` for the output of a run. */
  label: string
  text: string
  /** The file name in the comment of its first line. */
  file: string | undefined
}

/** A Markdown document of this repository. */
export class Document {
  readonly text: string
  private readonly tokens: Token[]

  constructor(readonly path: string) {
    this.text = readFileSync(join(REPOSITORY, path), 'utf8')
    this.tokens = lexer(this.text)
  }

  get blocks(): Block[] {
    return this.underHeadings<Tokens.Code>('code').map(([heading, { lang, text }]) => {
      const [language, ...label] = lang?.split(' ') ?? []
      const file = /^(?:\/\/|#) (?:each of )?([\w./-]*\w)(?:,.*)?$/m.exec(text.split('\n', 1)[0] ?? '')?.[1]
      return { document: this.path, heading, language, label: label.join(' '), text, file }
    })
  }

  /** The texts of all inline code, in paragraphs and tables. */
  get codeSpans(): string[] {
    return this.all<Tokens.Codespan>('codespan').map(({ text }) => text)
  }

  /** What stands after the `#` of a link to one of its headings. */
  get anchors(): string[] {
    return this.all<Tokens.Heading>('heading').map(({ text }) =>
      text
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    )
  }

  /** Links and pictures of this repository: the path from its root, and the anchor after `#`. */
  get links(): { path: string; anchor: string | undefined }[] {
    return [...this.all<Tokens.Link>('link'), ...this.all<Tokens.Image>('image')].flatMap(({ href }) => {
      if (/^\w+:/.test(href)) return []
      const [path = '', anchor] = href.split('#')
      return { path: path === '' ? this.path : join(dirname(this.path), path), anchor }
    })
  }

  /** The texts of the rows of the first table under a heading. */
  table(heading: string): string[][] {
    const found = this.underHeadings<Tokens.Table>('table').find(([under]) => under === heading)
    if (!found) throw new Error(`${this.path} has no table under "${heading}"`)
    return found[1].rows.map((row) => row.map(({ text }) => text))
  }

  private underHeadings<T extends Token>(type: T['type']): [heading: string, token: T][] {
    let heading = ''
    return this.tokens.flatMap((token) => {
      if (token.type === 'heading') heading = token.text
      return token.type === type ? [[heading, token as T]] : []
    })
  }

  private all<T extends Token>(type: T['type']): T[] {
    const found: T[] = []
    walkTokens(this.tokens, (token) => {
      if (token.type === type) found.push(token as T)
    })
    return found
  }
}

/** README.md, and all documents that the package contains. */
export const documents = ['README.md', 'examples/README.md', ...pathsIn('docs')].map((path) => new Document(path))

function pathsIn(folder: string): string[] {
  const names = readdirSync(join(REPOSITORY, folder)).filter((name) => name.endsWith('.md'))
  return names.sort().map((name) => join(folder, name))
}
