// The steps of a run as a graph: what comes after what, how each is, and the chain that took longest.
import { html, useMemo } from './vendor/preact-htm.js';
import { graphlib, layout } from './vendor/dagre.js';
import { duration } from './lib.js';

const most = 400;

/** What was really tried; a step that was passed over has a record, and no attempt. */
export const tries = step => step.attempts.filter(attempt => attempt.status !== 'skipped');

export const took = step => tries(step).reduce((sum, attempt) => sum + attempt.duration, 0);

/** The steps of the definition; what is below one belongs to it. */
export const top = steps => steps.filter(step => !/[/[]/.test(step.path));

function critical(steps) {
  const byId = new Map(steps.map(step => [step.path, step])), best = new Map();
  const length = step => {
    if (best.has(step.path)) return best.get(step.path);
    best.set(step.path, { time: 0, before: null });
    const before = step.needs.map(id => byId.get(id)).filter(Boolean).map(one => ({ one, time: length(one).time })).sort((a, b) => b.time - a.time)[0];
    const found = { time: took(step) + (before?.time ?? 0), before: before?.one ?? null };
    best.set(step.path, found);
    return found;
  };
  let last = steps.map(step => ({ step, time: length(step).time })).sort((a, b) => b.time - a.time)[0]?.step;
  const path = [];
  for (; last; last = best.get(last.path).before) path.unshift(last.path);
  return path;
}

export function Graph({ steps, open }) {
  const shown = top(steps);
  const shape = shown.map(step => `${step.path}<${step.needs}`).join(';');
  const drawn = useMemo(() => {
    if (shown.length === 0 || shown.length > most) return null;
    const graph = new graphlib.Graph().setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 42, marginx: 8, marginy: 8 }).setDefaultEdgeLabel(() => ({}));
    const ids = new Set(shown.map(step => step.path));
    for (const step of shown) graph.setNode(step.path, { width: Math.max(132, Math.min(230, 24 + step.path.length * 8)), height: 42 });
    for (const step of shown) for (const need of step.needs) if (ids.has(need)) graph.setEdge(need, step.path);
    layout(graph);
    return graph;
  }, [shape]);
  if (!drawn) return shown.length ? html`<p class="faint">${shown.length} steps are too many for a picture; they are listed below.</p>` : null;
  const chain = critical(shown), { width, height } = drawn.graph();
  const onChain = (from, to) => chain.indexOf(to) > 0 && chain[chain.indexOf(to) - 1] === from;
  return html`<div class="scroll" tabindex="0"><svg class="graph" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label="Graph of the steps">
    ${drawn.edges().map(edge => html`<path class=${onChain(edge.v, edge.w) ? 'critical' : ''} d=${`M${drawn.edge(edge).points.map(point => `${point.x.toFixed(1)},${point.y.toFixed(1)}`).join('L')}`} />`)}
    ${shown.map(step => {
      const box = drawn.node(step.path), name = step.path.length > 24 ? `${step.path.slice(0, 23)}…` : step.path;
      return html`<g class=${stateOfStep(step)} transform=${`translate(${box.x - box.width / 2},${box.y - box.height / 2})`} role="button" tabindex="0"
        onClick=${() => open(step.path)} onKeyDown=${event => event.key === 'Enter' && open(step.path)}>
        <title>${step.path}</title><rect width=${box.width} height=${box.height} rx="6" class=${chain.includes(step.path) ? 'critical' : ''} /><text x="10" y="18">${name}</text><text class="sub" x="10" y="34">${stateOfStep(step)} ${tries(step).length ? duration(took(step)) : ''}</text></g>`;
    })}</svg></div>`;
}

export const stateOfStep = step => step.cause === 'blocked' ? 'blocked' : step.status ?? 'pending';
