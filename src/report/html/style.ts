/** The style of the page; the charts take their colours from its variables. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #ffffff; --raised: #f5f7fa; --text: #1b2129; --muted: #565f6b; --line: #d3d9e0;
  --accent: #0b62c4; --good: #1a7446; --bad: #b3261e; --warm: #8a5300;
  --lookup: #6b7684; --restore: #7d4fc0; --download: #c05a00; --load: #0b62c4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #11151a; --raised: #1a2028; --text: #e6eaf0; --muted: #a3adb9; --line: #343d48;
    --accent: #6cb0ff; --good: #57c98b; --bad: #ff8a80; --warm: #f0b354;
    --lookup: #8f9aa8; --restore: #b79cf0; --download: #ff9f4a; --load: #6cb0ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.2rem; margin: 40px 0 8px; }
h3 { font-size: 1rem; margin: 16px 0 4px; }
p { margin: 4px 0 12px; }
.muted, figcaption, caption { color: var(--muted); }
.place { overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0; }
.tiles div { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.tiles dt { color: var(--muted); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles dd small { display: block; font-size: .85rem; font-weight: 400; color: var(--muted); }
.notes { border-left: 4px solid var(--warm); padding: 4px 0 4px 14px; margin: 20px 0 0; list-style: none; }
.notes li { overflow-wrap: anywhere; }
.pair { display: grid; gap: 8px 32px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .9rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg { font-size: 12px; }
svg text { white-space: pre; }
.narrow { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; margin: 4px 0 8px; padding: 0; font-size: .9rem; }
.legend span { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-right: 6px; }
.lookup { background: var(--lookup); } .restore { background: var(--restore); }
.download { background: var(--download); } .load { background: var(--load); }
meter { width: 100%; max-width: 480px; height: 1.1em; }
.scroll { overflow: auto; max-height: min(80vh, 900px); border: 1px solid var(--line); border-radius: 8px; }
.scroll:focus-visible, button:focus-visible, input:focus-visible, summary:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: 8px 12px; }
th, td { padding: 6px 12px; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { background: var(--raised); white-space: nowrap; position: sticky; top: 0; }
tbody th { font-weight: 600; min-width: 15em; overflow-wrap: anywhere; }
.text { overflow-wrap: anywhere; } .date { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 4px 0; min-height: 28px; cursor: pointer; }
th button::after { content: ' \\2195'; color: var(--muted); }
th[aria-sort=ascending] button::after { content: ' \\2191'; color: var(--accent); }
th[aria-sort=descending] button::after { content: ' \\2193'; color: var(--accent); }
.filter { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: baseline; margin: 8px 0; }
input { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--muted); border-radius: 6px; padding: 4px 10px; width: min(100%, 320px); }
details { margin: 12px 0; }
summary { cursor: pointer; }
@media (max-width: 640px) {
  main { padding: 16px 12px 32px; }
  .wide { display: none; }
  .narrow { display: block; }
}
@media print { .filter { display: none; } }
`
