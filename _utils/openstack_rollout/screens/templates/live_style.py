"""What the live page looks like beside what it has in common with the report."""

TEXT = """\
[hidden] { display: none !important; }
body { padding-top: 12px; }
.top { position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px; padding: 8px 4px; background: var(--page); border-bottom: 1px solid var(--line); }
.brand { font-weight: 600; margin-right: auto; }
.link { font-size: 14px; font-variant-numeric: tabular-nums; color: var(--good); }
.link.out { color: var(--soft); }
.link.lost { color: var(--bad); font-weight: 600; }
#user { color: var(--soft); font-size: 14px; }
button { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--soft); border-radius: 6px; padding: 5px 14px; cursor: pointer; }
button:hover { border-color: var(--link); color: var(--link); }
button:disabled { opacity: .5; cursor: default; }
button.main { background: var(--link); border-color: var(--link); color: var(--page); font-weight: 600; }
button.danger { border-color: var(--bad); color: var(--bad); }
button.quiet { border-color: transparent; background: none; color: var(--link); padding: 2px 6px; }
button.small { padding: 1px 8px; font-size: 13px; }
button:focus-visible, input:focus-visible, select:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
input, select { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--soft); border-radius: 6px; padding: 5px 10px; max-width: 100%; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 24px; max-width: 420px; margin: 8vh auto; display: grid; gap: 14px; }
.card label { display: grid; gap: 4px; font-size: 14px; color: var(--soft); }
.card .check { grid-template-columns: auto 1fr; align-items: start; gap: 8px; font-size: 13px; }
.card .note:empty, .notice:empty, .why:empty, .remedy:empty, #flight-more:empty { display: none; }
.card #login-why { color: var(--bad); margin: 0; }
.verdict { margin: 16px 0; }
.verdict .told { flex: 1; min-width: 0; }
.progress { display: flex; align-items: center; gap: 12px; margin-top: 12px; color: var(--text); font-weight: 600; }
progress { flex: 1; height: 12px; min-width: 60px; accent-color: var(--link); }
td progress { width: 90px; height: 8px; vertical-align: 1px; margin-right: 8px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 14px; }
.actions:empty { display: none; }
.verdict .notice { margin-top: 12px; font-size: 14px; border-top: 1px solid var(--line); padding-top: 8px; }
.question { white-space: pre-wrap; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; margin: 6px 0 0; overflow-wrap: anywhere; }
.wait + .wait { border-top: 1px solid var(--line); margin-top: 12px; padding-top: 12px; }
.wait p { margin: 0; overflow-wrap: anywhere; }
.filter { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin: 0 0 10px; }
.filter .note { margin: 0; }
#nodes .tall, #timeline .tall { max-height: 60vh; }
#nodes thead th { position: sticky; top: 0; background: var(--card); }
.nodes td:last-child { min-width: 0; }
.news { list-style: none; margin: 0; padding: 0; font-size: 14px; font-variant-numeric: tabular-nums; }
.news li { padding: 2px 0; overflow-wrap: anywhere; }
.news time { color: var(--soft); margin-right: 10px; }
dialog { border: 1px solid var(--line); border-radius: 8px; padding: 20px 24px; max-width: 440px; background: var(--card); color: var(--text); }
dialog::backdrop { background: #00000066; }
.facts dl { margin: 0; }
.stale main #page { opacity: .75; }
@media (max-width: 600px) {
  body { padding: 8px 10px; font-size: 14px; }
  section { padding: 12px; }
  .verdict { gap: 10px; padding: 14px 12px; }
  .verdict .sign { width: 26px; font-size: 24px; }
  h1 { font-size: 20px; }
  .more { display: none; }
  th, td { padding: 5px 6px; }
}
"""
