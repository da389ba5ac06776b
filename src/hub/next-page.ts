/**
 * The address of the next page of a listing, always at the configured endpoint. A mirror may pass on a link to the Hub behind
 * it, but the names of repos must not be sent to another host than the configured one. Undefined where the link does not lead
 * to a page of the same listing.
 */
export function nextPage(endpoint: string, asked: string, link: string): string | undefined {
  if (!URL.canParse(link)) return undefined
  const [home, here, next] = [new URL(endpoint), new URL(asked), new URL(link)]
  // Built from its parts, because the link may hold a user name and a password.
  if (next.origin === home.origin) return `${next.origin}${next.pathname}${next.search}`
  const pathBelow = here.pathname.slice(home.pathname.replace(/\/$/, '').length)
  return next.pathname.endsWith(pathBelow) ? `${here.origin}${here.pathname}${next.search}` : undefined
}
