/**
 * Where the next page of a listing is asked for: always at the configured endpoint. A mirror may hand on the link of the Hub behind it,
 * and who named a mirror does not want its repos' names to go anywhere else. Undefined where the link leads to something else than a
 * page of the same listing.
 */
export function nextPage(endpoint: string, asked: string, link: string): string | undefined {
  if (!URL.canParse(link)) return undefined
  const [home, here, next] = [new URL(endpoint), new URL(asked), new URL(link)]
  // Without a user name and password, which a link may hold.
  if (next.origin === home.origin) return `${next.origin}${next.pathname}${next.search}`
  const pathBelow = here.pathname.slice(home.pathname.replace(/\/$/, '').length)
  return next.pathname.endsWith(pathBelow) ? `${here.origin}${here.pathname}${next.search}` : undefined
}
