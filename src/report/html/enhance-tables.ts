/**
 * The only script of the page: it sorts tables by their column headings, and filters them. Its source is written into the page, so
 * it uses nothing outside itself.
 */
export function enhanceTables(): void {
  for (const table of document.querySelectorAll<HTMLTableElement>('table[data-sortable]')) {
    const body = table.tBodies[0]
    const headings = [...table.querySelectorAll<HTMLTableCellElement>('thead th')]
    for (const [index, heading] of headings.entries())
      heading.querySelector('button')?.addEventListener('click', () => {
        const direction = heading.getAttribute('aria-sort') === 'descending' ? 'ascending' : 'descending'
        const sign = direction === 'ascending' ? 1 : -1
        const isNumber = heading.classList.contains('number')
        const rows = [...(body?.rows ?? [])].sort((a, b) => {
          const one = a.cells[index]?.dataset.value ?? ''
          const other = b.cells[index]?.dataset.value ?? ''
          return sign * (isNumber ? Number(one) - Number(other) : one.localeCompare(other))
        })
        body?.append(...rows)
        for (const other of headings) if (other.hasAttribute('aria-sort')) other.setAttribute('aria-sort', 'none')
        heading.setAttribute('aria-sort', direction)
      })
    const filter = document.querySelector<HTMLInputElement>(`input[data-for="${table.id}"]`)
    const status = document.querySelector(`[role=status][data-for="${table.id}"]`)
    filter?.addEventListener('input', () => {
      const wanted = filter.value.trim().toLowerCase()
      const rows = [...(body?.rows ?? [])]
      for (const row of rows) row.hidden = !row.textContent?.toLowerCase().includes(wanted)
      const shown = rows.filter((row) => !row.hidden).length
      if (status) status.textContent = `${shown} of ${rows.length} shown`
    })
  }
}
