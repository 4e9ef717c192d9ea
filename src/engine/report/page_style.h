// The style sheet and the script of a report.
#pragma once

namespace wf {

constexpr char kPageStyle[] = R"css(
:root { --ink:#1f2933; --muted:#6b7280; --line:#e5e7eb; --accent:#2a6fbb; }
* { box-sizing:border-box; }
body { margin:0; font:14px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif; color:var(--ink); background:#f5f6f8; }
main { max-width:1240px; margin:0 auto; padding:24px; }
h1 { font-size:24px; margin:0; }
h2 { font-size:17px; margin:32px 0 12px; }
.sub { color:var(--muted); margin:4px 0 18px; }
.cards { display:flex; flex-wrap:wrap; gap:12px; }
.card { flex:1 1 150px; background:#fff; border:1px solid var(--line); border-radius:8px; padding:10px 14px; }
.card b { display:block; font-size:20px; font-weight:600; }
.card span { color:var(--muted); font-size:12px; }
.grid { display:grid; grid-template-columns:repeat(auto-fit,minmax(480px,1fr)); gap:14px; }
.box { position:relative; background:#fff; border:1px solid var(--line); border-radius:8px; padding:10px; overflow:hidden; }
.box svg { display:block; width:100%; height:auto; }
.toggle { position:absolute; top:10px; right:12px; font:12px system-ui,sans-serif; color:var(--accent); background:#fff;
  border:1px solid var(--line); border-radius:5px; padding:2px 8px; cursor:pointer; }
.toggle.on { background:var(--accent); color:#fff; }
.tip { position:absolute; pointer-events:none; display:none; background:rgba(31,41,51,.92); color:#fff; font-size:12px;
  border-radius:5px; padding:5px 8px; white-space:nowrap; z-index:2; }
.tip i { display:inline-block; width:9px; height:9px; border-radius:2px; margin-right:5px; }
table { border-collapse:collapse; width:100%; background:#fff; }
th,td { text-align:left; padding:5px 10px; border-bottom:1px solid var(--line); vertical-align:top; }
th { color:var(--muted); font-weight:500; font-size:12px; }
td.n,th.n { text-align:right; font-variant-numeric:tabular-nums; }
td code { overflow-wrap:anywhere; }
.thumbs { display:grid; grid-template-columns:repeat(auto-fill,minmax(108px,1fr)); gap:12px; }
.thumbs figure { margin:0; font-size:11px; overflow-wrap:anywhere; }
.thumbs img { width:96px; height:96px; object-fit:contain; background:#eee; border-radius:4px; image-rendering:auto; }
.thumbs .small { image-rendering:pixelated; }
.chip { display:inline-block; width:10px; height:10px; border-radius:3px; margin-right:6px; }
.bad { color:#c0392b; }
.note { color:var(--muted); margin:6px 0 0; }
@media (max-width:560px) { .grid { grid-template-columns:1fr; } main { padding:12px; } }
)css";

// Values of a chart under the pointer; a button for the logarithmic axis.
constexpr char kPageScript[] = R"js(
document.querySelectorAll('.box').forEach(box => {
  const svg = box.querySelector('svg.chart');
  if (!svg) return;
  const linear = svg.querySelector('.linear'), log = svg.querySelector('.log');
  let shown = linear;
  const points = group => [...group.querySelectorAll('.curve')].map(path =>
    [...path.getAttribute('d').matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)].map(m => [+m[1], +m[2]]));
  const curves = [...svg.querySelectorAll('desc')].map(d => ({
    name: d.dataset.name, color: d.dataset.color,
    x: d.dataset.x.split(' ').map(Number), y: d.dataset.y.split(' ').map(Number)}));
  if (log) {
    const button = document.createElement('button');
    button.className = 'toggle';
    button.textContent = 'log';
    button.onclick = () => {
      shown = shown === linear ? log : linear;
      linear.setAttribute('display', shown === linear ? 'inline' : 'none');
      log.setAttribute('display', shown === log ? 'inline' : 'none');
      button.classList.toggle('on', shown === log);
    };
    box.append(button);
  }
  const tip = document.createElement('div');
  tip.className = 'tip';
  box.append(tip);
  const mark = document.createElementNS(svg.namespaceURI, 'g');
  svg.append(mark);
  const hide = () => { tip.style.display = 'none'; mark.replaceChildren(); };
  svg.addEventListener('mouseleave', hide);
  svg.addEventListener('mousemove', event => {
    const at = svg.createSVGPoint();
    at.x = event.clientX; at.y = event.clientY;
    const x = at.matrixTransform(svg.getScreenCTM().inverse()).x, places = points(shown);
    let best = null;
    places.forEach(p => p.forEach(([px]) => {
      if (best === null || Math.abs(px - x) < Math.abs(best - x)) best = px;
    }));
    if (best === null) return hide();
    mark.replaceChildren();
    tip.replaceChildren();
    let title = null;
    places.forEach((p, c) => {
      let i = -1;
      p.forEach(([px], k) => { if (Math.abs(px - best) <= 3 && (i < 0 || Math.abs(px - best) < Math.abs(p[i][0] - best))) i = k; });
      if (i < 0) return;
      const dot = document.createElementNS(svg.namespaceURI, 'circle');
      Object.entries({cx: p[i][0], cy: p[i][1], r: 3.5, fill: curves[c].color}).forEach(([k, v]) => dot.setAttribute(k, v));
      mark.append(dot);
      if (title === null) title = curves[c].x[i];
      const line = document.createElement('div'), chip = document.createElement('i');
      chip.style.background = curves[c].color;
      line.append(chip, (curves[c].name ? curves[c].name + ': ' : '') + curves[c].y[i]);
      tip.append(line);
    });
    const head = document.createElement('div');
    head.textContent = svg.dataset.x + ' ' + +title.toFixed(2);
    tip.prepend(head);
    tip.style.display = 'block';
    const frame = box.getBoundingClientRect(), left = event.clientX - frame.left;
    tip.style.left = (left > frame.width / 2 ? left - tip.offsetWidth - 14 : left + 14) + 'px';
    tip.style.top = Math.min(event.clientY - frame.top + 12, frame.height - tip.offsetHeight - 4) + 'px';
  });
});
)js";

}  // namespace wf
