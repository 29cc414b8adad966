// How long the newest runs took, and how they ended. The same stands in a table beside it, for whoever cannot see it.
import { html, useEffect, useRef } from './vendor/preact-htm.js';
import uPlot from './vendor/uplot.js';
import { duration } from './lib.js';

document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: 'vendor/uplot.css' }));

export function Durations({ runs, open }) {
  const box = useRef();
  useEffect(() => {
    const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(`--${name}`).trim();
    const shown = runs.filter(run => run.took != null);
    if (shown.length === 0) return;
    const named = (values, status) => shown.map((run, index) => run.status === status ? values[index] : null);
    const took = shown.map(run => Math.max(1, run.took)), bars = uPlot.paths.bars({ size: [0.7, 26] });
    const series = status => ({ label: status, stroke: colour(status), fill: colour(status), paths: bars, points: { show: false } });
    const axis = { stroke: colour('faint'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    const make = () => new uPlot({
      width: box.current.clientWidth, height: 180, legend: { show: false }, cursor: { y: false, points: { show: false }, drag: { x: false, y: false } }, scales: { x: { time: false, range: [-0.6, Math.max(9, shown.length - 1) + 0.6] }, y: { range: (_, __, top) => [0, top * 1.1] } },
      axes: [{ ...axis, grid: { show: false }, values: () => [], size: 8 }, { ...axis, size: 64, values: (_, ticks) => ticks.map(duration) }],
      series: [{}, series('completed'), series('failed'), series('canceled')],
      hooks: { setCursor: [plot => { const run = shown[plot.cursor.idx]; box.current.title = run ? `${run.run_id}: ${run.status}, ${duration(run.took)}, version ${run.version}` : ''; }] },
    }, [shown.map((_, index) => index), named(took, 'completed'), named(took, 'failed'), named(took, 'canceled')], box.current);
    let plot = make();
    plot.over.addEventListener('click', () => { const run = shown[plot.cursor.idx]; if (run) open(run.run_id); });
    const size = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height: 180 }));
    size.observe(box.current);
    return () => { size.disconnect(); plot.destroy(); };
  }, [runs, open, matchMedia('(prefers-color-scheme: dark)').matches]);
  return html`<div class="chart" ref=${box} role="img" aria-label=${`How long the newest ${runs.length} runs took, oldest first: ${runs.filter(run => run.status === 'failed').length} failed`}></div>`;
}
