// The steps of a run as a graph: what comes after what, how each is, and the chain that took longest. Many steps are few boxes, which can be opened.
import { html, useEffect, useMemo, useState } from './vendor/preact-htm.js';
import { duration } from './lib.js';
import { grouped, inParts, stepsOf } from './groups.js';
import { critical, stateOfStep, took, top, tries } from './steps.js';

export { stateOfStep, took, top, tries };

// What a person should see first.
const worst = ['failed', 'blocked', 'running', 'waiting', 'ready', 'pending', 'canceled', 'skipped', 'completed'];
const gap = 8, head = 46;

/** Steps by the nearest step above them. */
function below(steps) {
  const paths = new Set(steps.map(step => step.path)), found = new Map();
  for (const step of steps) {
    let above = step.path;
    do above = above.slice(0, Math.max(above.lastIndexOf('/'), above.lastIndexOf('['), 0)); while (above && !paths.has(above));
    if (above) found.has(above) ? found.get(above).push(step) : found.set(above, [step]);
  }
  return found;
}

/** The picture comes behind the steps' own table: with thousands of them it takes a moment to think about. */
export function Graph(props) {
  const [dagre, setDagre] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => { import('./vendor/dagre.js').then(setDagre, () => setFailed(true)); }, []);
  return dagre ? html`<${Picture} dagre=${dagre} ...${props} />` : html`<div class="graph-space">${failed ? html`<p class="empty" role="alert">The graph could not be read. Reload the page.</p>` : null}</div>`;
}

function Picture({ dagre, steps, passes, open, opened: names, setOpened }) {
  const opened = new Set(names);
  const shown = useMemo(() => top(steps), [steps]);
  const children = useMemo(() => below(steps), [steps]);
  const chain = useMemo(() => critical(shown), [shown]);
  // What comes after what is the definition's, which a pass may change, and nothing else.
  const boxes = useMemo(() => grouped(shown), [passes, shown.length]);
  const owner = useMemo(() => new Map(boxes.flatMap(box => stepsOf(box).map(step => [step.path, box.path]))), [boxes]);
  const now = useMemo(() => new Map(steps.map(step => [step.path, step])), [steps]);

  const members = box => box.members ?? (children.get(box.path) ?? []).map(step => ({ path: step.path, needs: [], members: null, step }));
  const sized = box => {
    const inner = opened.has(box.path) ? inParts(members(box)).map(sized) : [];
    if (inner.length === 0) return { box, inner, height: head, width: box.step && !children.has(box.path) ? Math.max(132, Math.min(230, 24 + box.path.length * 8)) : 230 };
    let [x, y, width, height] = [gap, head + gap, 230, 0];
    const columns = Math.min(6, Math.ceil(Math.sqrt(inner.length)));
    inner.forEach((one, i) => {
      if (i > 0 && i % columns === 0) [x, y, height] = [gap, y + height + gap, 0];
      [one.x, one.y] = [x, y];
      [x, height, width] = [x + one.width + gap, Math.max(height, one.height), Math.max(width, x + one.width + gap)];
    });
    return { box, inner, width, height: y + height + gap };
  };
  const placed = boxes.map(sized), sizes = placed.map(one => `${one.width},${one.height}`).join(';');
  const drawn = useMemo(() => {
    const graph = new dagre.graphlib.Graph().setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 42, marginx: 8, marginy: 8 }).setDefaultEdgeLabel(() => ({}));
    placed.forEach(({ box, width, height }) => graph.setNode(box.path, { width, height }));
    for (const box of boxes) for (const need of box.needs) graph.setEdge(need, box.path);
    dagre.layout(graph);
    return graph;
  }, [boxes, sizes]);
  if (boxes.length === 0) return null;

  const onChain = new Set(chain), legs = new Set(chain.slice(1).map((path, i) => `${owner.get(chain[i])}\n${owner.get(path)}`));
  const toggle = box => {
    const next = new Set(opened);
    next.delete(box.path) || next.add(box.path);
    setOpened([...next]);
  };
  const draw = ({ box, inner, width, height, x, y }) => html`<${Box} key=${box.path} ...${{ box, width, height, x, y, open, toggle }} step=${box.step && now.get(box.path)} isOpen=${opened.has(box.path)}
    below=${members(box).length} states=${statesOf(box)} critical=${stepsOf(box).some(step => onChain.has(step.path))}>${inner.map(draw)}<//>`;
  const statesOf = box => {
    const counts = {};
    for (const { path } of box.step ? children.get(box.path) ?? [] : stepsOf(box)) {
      const state = stateOfStep(now.get(path));
      counts[state] = (counts[state] ?? 0) + 1;
    }
    return worst.filter(state => counts[state]).map(state => [state, counts[state]]);
  };
  const { width, height } = drawn.graph();
  return html`<div class="scroll" tabindex="0"><svg class="graph" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label="Graph of the steps">
    ${drawn.edges().map(edge => html`<path class=${legs.has(`${edge.v}\n${edge.w}`) ? 'critical' : ''} d=${`M${drawn.edge(edge).points.map(point => `${point.x.toFixed(1)},${point.y.toFixed(1)}`).join('L')}`} />`)}
    ${placed.map(one => {
      const at = drawn.node(one.box.path);
      return draw({ ...one, x: at.x - at.width / 2, y: at.y - at.height / 2 });
    })}</svg></div>`;
}

const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

const pressed = act => ({ role: 'button', tabindex: 0, onClick: act, onKeyDown: event => {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  event.preventDefault();
  act();
} });

/** A step, or several: with how many of them are how. */
function Box({ box, step, x, y, width, height, isOpen, below, states, critical, open, toggle, children }) {
  const all = states.reduce((sum, [, count]) => sum + count, 0), told = states.map(([state, count]) => `${count.toLocaleString()} ${state}`).join(', ');
  const state = step ? stateOfStep(step) : states[0]?.[0] ?? 'pending';
  const facts = step ? `${state} ${tries(step).length ? duration(took(step)) : ''}` : `${all.toLocaleString()} steps: ${told}`;
  const face = html`<title>${step ? box.path : `${box.path}: ${told}`}</title><rect width=${width} height=${height} rx="6" class=${critical ? 'critical' : ''} />
    <text x="10" y="18">${cut(box.path, step && below === 0 ? 24 : 25)}</text><text class="sub" x="10" y="34">${cut(step && below ? `${facts}· ${told}` : facts, 36)}</text>`;
  let from = 10;
  return html`<g class=${state} transform=${`translate(${x},${y})`}>
    ${step ? html`<g class="face" ...${pressed(() => open(box.path))}>${face}</g>` : html`<g class="face" ...${pressed(() => toggle(box))} aria-expanded=${isOpen}>${face}</g>`}
    ${all ? states.map(([name, count]) => {
      const part = count / all * (width - 20), bar = html`<rect class="part ${name}" x=${from} y="39" height="3" width=${part} />`;
      from += part;
      return bar;
    }) : null}
    ${step && below ? html`<g ...${pressed(() => toggle(box))} aria-expanded=${isOpen} transform=${`translate(${width - 28},4)`} class="toggle"><title>${below.toLocaleString()} steps below ${box.path}: ${told}</title><rect width="24" height="24" rx="4" /><text x="7" y="17">${isOpen ? '−' : '+'}</text></g>` : null}
    ${children}</g>`;
}
