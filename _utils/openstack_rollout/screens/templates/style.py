"""How the report looks: on a screen, in the dark, on paper."""

TEXT = """\
:root {
  --page: #f6f7f9; --card: #ffffff; --text: #1b2330; --soft: #566173; --line: #d8dde5; --link: #0b57a4;
  --good: #146c43; --good-back: #e3f4ea; --fair: #7a4b00; --fair-back: #fff1d6; --bad: #a4161a; --bad-back: #fde7e8;
  --open: #0b57a4; --open-back: #e3eefb; --ink: #00000055; --band: #00000007;
  --prefetch: #c3ccd6; --ovn: #8abbe8; --control: #cfa8dd; --services: #86d3b4; --ovs: #f3c65c; --system: #f0a98e;
  --finish: #c9c3b1; --drain: #fff3b8; --restore: #dff3ff; --reboot: #3a4356; --failed: #c62f3b; --rests: #ffffff; --pause: #e7e9ee;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11161d; --card: #1a212b; --text: #e6eaf0; --soft: #9faabb; --line: #313b49; --link: #8cc0f5;
    --good: #7fd6a8; --good-back: #12301f; --fair: #f4c77a; --fair-back: #38290d; --bad: #ff9d9f; --bad-back: #3d1619;
    --open: #8cc0f5; --open-back: #12283f; --ink: #00000066; --band: #ffffff07;
    --prefetch: #98a4b1; --ovn: #6aa3d6; --control: #b58cc6; --services: #63b795; --ovs: #d6a93d; --system: #d78b6e;
    --finish: #a59f8c; --drain: #e5d98f; --restore: #b9d8e8; --reboot: #e9edf5; --failed: #e5545f; --rests: #f4f6fa; --pause: #414d60;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; max-width: 1240px; padding: 24px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -9999px; }
.skip:focus { left: 24px; top: 4px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; }
h1 .what { font-weight: 400; }
h2 { font-size: 19px; margin: 0 0 12px; }
h3 { font-size: 15px; margin: 20px 0 8px; scroll-margin-top: 60px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px 20px; margin: 16px 0; scroll-margin-top: 52px; }
.verdict { display: flex; gap: 18px; align-items: flex-start; padding: 20px; border-radius: 8px; border: 1px solid; border-left-width: 8px; }
.verdict .sign { font-size: 34px; line-height: 1; width: 44px; text-align: center; font-weight: 700; }
.verdict p { margin: 4px 0 0; overflow-wrap: anywhere; color: var(--text); }
.verdict .what { color: var(--text); }
.verdict.good { background: var(--good-back); border-color: var(--good); color: var(--good); }
.verdict.fair { background: var(--fair-back); border-color: var(--fair); color: var(--fair); }
.verdict.bad { background: var(--bad-back); border-color: var(--bad); color: var(--bad); }
.verdict.open { background: var(--open-back); border-color: var(--open); color: var(--open); }
nav { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 10px 4px; background: var(--page); border-bottom: 1px solid var(--line); margin-top: 12px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 14px 24px; margin: 0; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.note, .remedy { color: var(--soft); }
.note { margin: 0 0 10px; font-size: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
thead th { color: var(--soft); font-weight: 600; border-bottom-width: 2px; white-space: nowrap; }
tbody th { font-weight: 600; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.t { white-space: nowrap; font-variant-numeric: tabular-nums; }
.nodes th, .nodes td { padding: 4px 8px; }
.nodes thead th { white-space: normal; }
.nodes td:last-child { min-width: 180px; }
.good, .s-done { color: var(--good); }
.bad, .s-failed { color: var(--bad); font-weight: 600; }
.s-quarantined { color: var(--fair); font-weight: 600; }
.s-in_flight { color: var(--open); font-weight: 600; }
.s-skipped, .s-waiting, .same td, .same th { color: var(--soft); font-weight: 400; }
.wide { overflow-x: auto; }
.tall { max-height: 80vh; overflow-y: auto; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 12px; padding: 0; font-size: 13px; }
.legend svg, .chip { vertical-align: -3px; }
.key { display: inline-block; width: 22px; height: 11px; vertical-align: -1px; }
.key.solid { background: var(--soft); opacity: .6; }
.key.outline, .estimate { border: 2px dashed var(--text); }
.estimate { fill: none; stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 4 3; }
.timeline { display: block; width: 100%; min-width: 760px; height: auto; }
svg text { font: 10px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #10151c; font-weight: 600; }
svg .time, svg .name { fill: var(--soft); font-weight: 400; }
svg .name, svg .halt { fill: var(--text); }
svg .role { fill: var(--text); font-size: 11px; font-weight: 700; }
.small .name { font-size: 8px; }
svg .l-reboot { fill: var(--card); }
svg .l-failed { fill: #ffffff; }
.tick { stroke: var(--line); stroke-width: .7; fill: none; }
.band { fill: none; }
.band.odd { fill: var(--band); }
.ink { stroke: var(--ink); stroke-width: .9; fill: none; }
.ink circle { fill: var(--ink); stroke: none; }
.c-prefetch { fill: var(--prefetch); } .c-ovn { fill: var(--ovn); } .c-control_plane { fill: var(--control); }
.c-services { fill: var(--services); } .c-ovs { fill: var(--ovs); } .c-system { fill: var(--system); }
.c-finish { fill: var(--finish); } .c-drain { fill: var(--drain); } .c-restore { fill: var(--restore); }
.c-pause { fill: var(--pause); } .c-reboot { fill: var(--reboot); } .c-failed { fill: var(--failed); } .c-rests { fill: var(--rests); }
.k-prefetch { fill: url(#p-prefetch) var(--prefetch); } .k-ovn { fill: var(--ovn); }
.k-control_plane { fill: url(#p-control_plane) var(--control); } .k-services { fill: url(#p-services) var(--services); }
.k-ovs { fill: url(#p-ovs) var(--ovs); } .k-system { fill: url(#p-system) var(--system); }
.k-finish { fill: url(#p-finish) var(--finish); } .k-drain { fill: url(#p-drain) var(--drain); stroke: var(--ink); stroke-width: .5; }
.k-restore { fill: url(#p-restore) var(--restore); stroke: var(--ink); stroke-width: .5; }
.k-reboot { fill: var(--reboot); } .k-failed { fill: var(--failed); }
.k-rests { fill: var(--rests); stroke: var(--reboot); stroke-width: 1; stroke-dasharray: 2 1; }
.window { fill: var(--good); }
.pause { fill: url(#p-pause) var(--pause); opacity: .85; }
footer { color: var(--soft); font-size: 13px; padding: 8px 4px; }
@media print {
  :root {
    --page: #ffffff; --card: #ffffff; --text: #000000; --soft: #444444; --line: #bbbbbb; --link: #000000;
    --good: #146c43; --good-back: #ffffff; --fair: #7a4b00; --fair-back: #ffffff; --bad: #a4161a; --bad-back: #ffffff;
    --open: #0b57a4; --open-back: #ffffff; --ink: #00000066; --band: #00000007;
    --prefetch: #c3ccd6; --ovn: #8abbe8; --control: #cfa8dd; --services: #86d3b4; --ovs: #f3c65c; --system: #f0a98e;
    --finish: #c9c3b1; --drain: #fff3b8; --restore: #dff3ff; --reboot: #3a4356; --failed: #c62f3b; --rests: #ffffff; --pause: #e7e9ee;
  }
  @page { size: A4 landscape; margin: 12mm; }
  /* A pattern is a picture in a PDF, each time: tens of megabytes. On paper the letters are beside the colours. */
  .k-prefetch { fill: var(--prefetch); } .k-control_plane { fill: var(--control); } .k-services { fill: var(--services); }
  .k-ovs { fill: var(--ovs); } .k-system { fill: var(--system); } .k-finish { fill: var(--finish); }
  .k-drain { fill: var(--drain); } .k-restore { fill: var(--restore); } .pause { fill: var(--pause); }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 11px; }
  table { font-size: 10px; }
  nav, .skip { display: none; }
  section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 8px 0; margin: 8px 0; }
  .wide { overflow: visible; max-height: none; }
  #timeline { break-before: page; }
  .timeline { min-width: 0; }
  .timeline:not(.small) { max-height: 132mm; }
  .note, .legend { font-size: 10px; }
  thead { display: table-header-group; }
  tr, .verdict, .facts div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
