import { formatAge, formatSize } from '../../config/units.ts'
import type { CachedEntry, CacheSummary, Statistics } from '../statistics.ts'
import { type BarRow, bars } from './bars.ts'
import { breakable, type Html, html } from './html.ts'
import { commits } from './same-names.ts'
import { modelTable } from './tables.ts'

const BARS_SHOWN = 10

/** What the cache holds at `now`, against its limits. */
export function cached({ cache, models }: Statistics, now: number): Html {
  const { entries, directory } = cache
  const charts =
    entries.length === 0
      ? html`<p>The cache is empty.</p>`
      : html`<div class="pair">${largest(entries)}${longestUnused(cache, now)}</div>`
  const table = entries.length + models.length === 0 ? '' : html`<h3>All models</h3>\n${modelTable(entries, models)}`
  return html`<section aria-labelledby="cache">
<h2 id="cache">What the cache holds</h2>
<p>The models that are on this machine now, in <span class="path">${breakable(directory)}</span></p>
${fill(cache)}
${charts}
${table}
</section>`
}

function fill({ entries, size, maxSize, diskBytes }: CacheSummary): Html {
  const models = entries.length === 1 ? '1 model takes' : `${entries.length} models take`
  const over = size > maxSize ? ' (over the limit)' : ''
  const share = `${models} ${formatSize(size)} of the limit of ${formatSize(maxSize)}${over}`
  const onDisk =
    formatSize(diskBytes) === formatSize(size) ? '' : html`<br>Space taken on disk: ${formatSize(diskBytes)}`
  // By these values the browser chooses the colour of the meter: near the limit, or over it.
  const limits = html`min="0" low="${maxSize * 0.9}" high="${maxSize}" max="${Math.max(maxSize, size, 1)}" optimum="0"`
  return html`<p><label for="fill">${share}</label><br><meter id="fill" ${limits} value="${size}">${share}</meter>${onDisk}</p>`
}

function largest(entries: CachedEntry[]): Html {
  const commit = commits(entries)
  const sorted = [...entries].sort((a, b) => b.bytes - a.bytes)
  const rows = sorted.slice(0, BARS_SHOWN).map(
    (entry): BarRow => ({
      name: entry.model,
      detail: commit(entry),
      value: formatSize(entry.bytes),
      parts: [{ from: 0, to: entry.bytes, kind: 'size' }],
    }),
  )
  const what = selection(entries, 'largest')
  return html`<figure><h3>Size</h3>${bars(rows, { label: `Size of ${what}`, max: sorted[0]?.bytes ?? 0 })}
<figcaption>Size of ${what}.</figcaption></figure>`
}

function longestUnused({ entries, maxAgeMs }: CacheSummary, now: number): Html {
  const aged = entries.map((entry) => ({ ...entry, ageMs: Math.max(0, now - Date.parse(entry.lastUsedAt)) }))
  const commit = commits(entries)
  const sorted = aged.sort((a, b) => b.ageMs - a.ageMs)
  const rows = sorted.slice(0, BARS_SHOWN).map(
    (entry): BarRow => ({
      name: entry.model,
      detail: commit(entry),
      value: `${formatAge(entry.ageMs)} ago${entry.pinned ? ', pinned' : ''}`,
      parts: [{ from: 0, to: entry.ageMs, kind: 'age' }],
    }),
  )
  const what = selection(entries, 'longest unused')
  const isLimited = Number.isFinite(maxAgeMs) && maxAgeMs > 0
  const max = isLimited ? maxAgeMs : (sorted[0]?.ageMs ?? 0)
  const limit = isLimited
    ? `A full bar means ${formatAge(maxAgeMs)} without use: the cache then removes the model, unless it is pinned.`
    : ''
  return html`<figure><h3>Last use</h3>${bars(rows, { label: `Last use of ${what}`, max })}
<figcaption>Time since the last use of ${what}. ${limit}</figcaption></figure>`
}

function selection({ length }: CachedEntry[], which: string): string {
  if (length === 1) return 'the only cached model'
  return length <= BARS_SHOWN ? `all ${length} models` : `the ${BARS_SHOWN} ${which} of ${length} models`
}
