import type { PlotOptions } from '@observablehq/plot'

/** The options of a plot, with its name for screen readers. */
export type Drawing = PlotOptions & { label: string }

/** Loads Plot and a small DOM for it, since there is no browser here. Only the page and the benchmarks load them. */
export async function openPlot() {
  const [Plot, { DOMImplementation, XMLSerializer }] = await Promise.all([
    import('@observablehq/plot'),
    import('@xmldom/xmldom'),
  ])
  // Plot only makes elements and sets their attributes, which this document can do.
  const document = new DOMImplementation().createDocument('http://www.w3.org/1999/xhtml', 'html') as unknown as Document

  /** Gives a plot as SVG, without Plot's own style: the page's policy allows only the page's style. */
  function svg({ label, ...options }: Drawing): string {
    const drawn = Plot.plot({ document, style: undefined, marginTop: 18, marginRight: 44, ...options })
    drawn.setAttribute('role', 'img')
    drawn.setAttribute('aria-label', label)
    for (const style of [...Array.from(drawn.getElementsByTagName('style'))]) style.parentNode?.removeChild(style)
    // The image has one name, so its parts have none.
    for (const part of Array.from(drawn.getElementsByTagName('g'))) part.removeAttribute('aria-label')
    return new XMLSerializer().serializeToString(drawn as never)
  }

  return { Plot, svg }
}
