import type { PlotOptions } from '@observablehq/plot'

/** What is drawn, and what it is called for who can't see it. */
export type Drawing = PlotOptions & { label: string }

/** Loads the library, which nothing else needs, with what draws by it outside of a browser. */
export async function openPlot() {
  const [Plot, { DOMImplementation, XMLSerializer }] = await Promise.all([
    import('@observablehq/plot'),
    import('@xmldom/xmldom'),
  ])
  // Plot makes elements and sets their attributes, for which this is a document.
  const document = new DOMImplementation().createDocument('http://www.w3.org/1999/xhtml', 'html') as unknown as Document

  /** Without a style of its own: a page may allow no other than its own, and gives one. */
  function svg({ label, ...options }: Drawing): string {
    const drawn = Plot.plot({ document, style: undefined, marginTop: 18, marginRight: 44, ...options })
    drawn.setAttribute('role', 'img')
    drawn.setAttribute('aria-label', label)
    for (const style of [...Array.from(drawn.getElementsByTagName('style'))]) style.parentNode?.removeChild(style)
    // An image has one name, and parts without any.
    for (const part of Array.from(drawn.getElementsByTagName('g'))) part.removeAttribute('aria-label')
    return new XMLSerializer().serializeToString(drawn as never)
  }

  return { Plot, svg }
}
