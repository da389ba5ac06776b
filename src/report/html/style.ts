/** The style of the page. Charts take their colours from its variables and classes. */
export const STYLE = `
:root {
  color-scheme: light;
  --back: #ffffff; --raised: #f5f7fa; --track: #e8ecf1; --text: #1b2129; --muted: #565f6b; --line: #d3d9e0;
  --accent: #0b62c4; --good: #1a7446; --bad: #b3261e; --warm: #8a5300;
  --lookup: #6b7684; --restore: #7d4fc0; --download: #c05a00; --load: #0b62c4;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --back: #11151a; --raised: #1a2028; --track: #262e38; --text: #e6eaf0; --muted: #a3adb9; --line: #343d48;
    --accent: #6cb0ff; --good: #57c98b; --bad: #ff8a80; --warm: #f0b354;
    --lookup: #8f9aa8; --restore: #b79cf0; --download: #ff9f4a; --load: #6cb0ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 1160px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.2rem; margin: 40px 0 4px; }
h3 { font-size: 1rem; margin: 16px 0 4px; }
p { margin: 4px 0 12px; }
.muted, figcaption, caption, small { color: var(--muted); }
figcaption, small { font-size: .875rem; }
code { font: .9em ui-monospace, monospace; background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: 0 4px; }
figure { margin: 0; min-width: 0; }
details { margin: 12px 0; }
summary { cursor: pointer; }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 20px 0 0; }
.figures div { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.figures dt { color: var(--muted); font-size: .875rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-weight: 400; }

.notes { padding: 0; margin: 8px 0 0; list-style: none; display: grid; gap: 8px; }
.notes li { border-left: 4px solid var(--accent); padding: 2px 0 2px 14px; min-width: 0; }
.notes .failed { border-color: var(--bad); } .notes .failed strong { color: var(--bad); }
.notes .warning { border-color: var(--warm); } .notes .warning strong { color: var(--warm); }

.pair { display: grid; gap: 8px 32px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
.wide, .narrow { max-width: 640px; }
.wide svg, .narrow svg { display: block; width: 100%; height: auto; overflow: visible; font-size: 12px; }
.wide svg text, .narrow svg text { white-space: pre; }
.narrow { display: none; }

.bars { list-style: none; margin: 8px 0 0; padding: 0; }
.bars li { display: grid; grid-template: 'name value' auto 'track track' 12px / minmax(0, 1fr) auto; gap: 2px 16px; align-items: end; padding: 7px 0; break-inside: avoid; }
.bars .name, .bars .value { font-size: .92rem; line-height: 1.3; }
.bars .name { grid-area: name; }
.bars .value { grid-area: value; font-variant-numeric: tabular-nums; text-align: right; }
.bars .track { grid-area: track; }
.track, .axis { display: block; width: 100%; overflow: visible; }
.track { height: 12px; }
.track line { stroke: var(--back); }
.back { fill: var(--track); }
.size { fill: var(--accent); } .age { fill: var(--restore); }
.lookup { fill: var(--lookup); } .restore { fill: var(--restore); } .download { fill: var(--download); } .load { fill: var(--load); }
.axis { height: 16px; margin: 2px 0 4px; }
.axis text { fill: var(--muted); font-size: 12px; }
.axis .middle { text-anchor: middle; } .axis .last { text-anchor: end; }
@media (min-width: 900px) {
  .wide-bars li { grid-template: 'name track value' auto / minmax(0, 26rem) minmax(0, 1fr) 5rem; align-items: center; padding: 4px 0; }
  .wide-axis { width: calc(100% - 26rem - 5rem - 32px); margin-left: calc(26rem + 16px); }
}
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 4px 0 8px; padding: 0; font-size: .92rem; }
.legend li { display: flex; gap: 8px; align-items: baseline; }
.legend svg { width: 12px; height: 12px; flex: none; }
meter { width: 100%; max-width: 480px; height: 1.1em; }

.scroll { overflow: auto; max-height: min(80vh, 900px); border: 1px solid var(--line); border-radius: 8px; margin-top: 8px; }
.scroll:focus-visible, button:focus-visible, input:focus-visible, summary:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; padding: 8px 10px; }
th, td { padding: 6px 10px; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { background: var(--raised); position: sticky; top: 0; vertical-align: bottom; overflow-wrap: normal; }
tbody th { font-weight: 600; }
.text { min-width: 10em; } th.text { min-width: 14em; }
tbody .number, .date, .word { white-space: nowrap; font-variant-numeric: tabular-nums; }
.number { text-align: right; }
th button { font: inherit; font-weight: 600; color: inherit; text-align: inherit; background: none; border: 0; padding: 4px 0; min-height: 28px; cursor: pointer; }
th button::after { content: '\\a0\\2195'; color: var(--muted); }
th[aria-sort=ascending] button::after { content: '\\a0\\2191'; color: var(--accent); }
th[aria-sort=descending] button::after { content: '\\a0\\2193'; color: var(--accent); }
.filter { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: baseline; margin: 8px 0; }
input { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--muted); border-radius: 6px; padding: 4px 10px; width: min(100%, 320px); }

@media screen and (max-width: 1100px) {
  table, caption, thead, tbody { display: block; }
  table:not([data-sortable]) thead { display: none; }
  thead tr { display: flex; flex-wrap: wrap; gap: 0 16px; padding: 6px 12px; background: var(--raised); border-top: 1px solid var(--line); }
  [data-sortable] thead tr::before { content: 'Sort by'; color: var(--muted); align-self: center; }
  thead th, thead th.text { position: static; border: 0; padding: 0; min-width: 0; }
  tbody tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 4px 12px; padding: 8px 12px; border-top: 1px solid var(--line); }
  tbody tr[hidden], tbody td:empty { display: none; }
  tbody th, tbody td, tbody td.text, tbody td.number { border: 0; padding: 0; min-width: 0; text-align: left; }
  tbody th, tbody td.text { grid-column: 1 / -1; }
  tbody td::before { content: attr(data-label); display: block; color: var(--muted); font-size: .8rem; }
}
@media screen and (max-width: 640px) {
  main { padding: 16px 12px 32px; }
  .wide { display: none; }
  .narrow { display: block; }
  .figures { grid-template-columns: 1fr 1fr; }
}
@media print {
  :root { font-size: 11px; }
  body { font-size: 1rem; }
  main { padding: 0; max-width: none; }
  h2, h3 { break-after: avoid; }
  tr, .figures div, .notes li { break-inside: avoid; }
  .pair { grid-template-columns: 1fr 1fr; }
  .filter, .hint { display: none; }
  th button::after { content: none; }
  .scroll { overflow: visible; max-height: none; }
  thead th { position: static; }
  th, td { padding: 4px 6px; }
  .text, th.text { min-width: 6em; }
}
`
