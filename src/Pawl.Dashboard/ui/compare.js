// Two runs, or two checkpoints of one, side by side.
import { html, useState } from './vendor/preact-htm.js';
import { at, to, settle, useLive, Loaded, Nothing, Text, runLink, stateOf, ago, duration, money } from './lib.js';

const shown = value => value === undefined ? '(none)' : typeof value === 'string' ? value : JSON.stringify(value);

const Values = ({ title, list }) => list.length === 0 ? null : html`<h3>${title}</h3>${list.map(one => html`<div class="change" key=${one.path}><code>${one.path}</code><del>${shown(one.left).slice(0, 2000)}</del><ins>${shown(one.right).slice(0, 2000)}</ins></div>`)}`;

export const Lines = ({ lines }) => html`<pre class="diff" tabindex="0">${lines.map(line => line[0] === '+' ? html`<ins>${line}</ins>` : line[0] === '-' ? html`<del>${line}</del>` : html`<div>${line}</div>`)}</pre>`;

export function Difference({ id, left, right, other }) {
  const [value, problem] = useLive(`/runs/${at([id])}/diff?${new URLSearchParams({ ...(left ? { seq: left } : {}), ...(right ? { otherSeq: right } : {}), ...(other ? { other } : {}) })}`, null);
  const name = (run, seq) => other ? html`<span class="path">${run}</span>` : html`checkpoint ${seq}`;
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.is_equal && value.steps.length === 0 ? html`<${Nothing} title="No difference.">${other ? 'Params, state, definition and every step came out the same.' : ''}<//>` : html`
    <p>From ${name(id, left)} to ${name(other, right)}. <span class="faint">What only the first has, or had, is marked −; what only the second has, +.</span></p>
    ${value.first ? html`<div class="note careful"><b>They part at <span class="path">${value.first.path}</span></b>: ${value.first.what.join(', ')}.${value.first.causes.length ? html` Because of ${value.first.causes.join(', ')}.` : ''}</div>` : null}
    ${other ? html`<p class="faint">Took ${[duration(value.left_cost.duration), money(value.left_cost)].filter(Boolean).join(', ') || 'nothing'} and ${[duration(value.right_cost.duration), money(value.right_cost)].filter(Boolean).join(', ') || 'nothing'}.</p>` : null}
    <${Values} title="Params" list=${value.params} /><${Values} title="State" list=${value.state} /><${Values} title="Surroundings" list=${value.environment} />
    ${value.steps.length ? html`<h3>Steps</h3><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Step</th><th scope="col">What is different</th><th scope="col">Output</th></tr></thead><tbody>${value.steps.slice(0, 1000).map(step => html`<tr key=${step.path}><td class="path">${step.path}</td><td>${step.what.join(', ')}</td>
      <td>${step.output.slice(0, 20).map(one => html`<div class="change"><code>${one.path}</code><del>${shown(one.left).slice(0, 400)}</del><ins>${shown(one.right).slice(0, 400)}</ins></div>`)}</td></tr>`)}</tbody></table></div>` : null}
    ${value.definition.length ? html`<h3>Definition</h3><${Lines} lines=${value.definition} />` : null}`}<//>`;
}

export function DefinitionDiff({ left, right }) {
  const [value, problem] = useLive(`/runs/${at([left])}/diff?other=${encodeURIComponent(right)}`, null);
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.definition.length ? html`<${Lines} lines=${value.definition} />` : html`<p class="faint">The texts are the same.</p>`}<//>`;
}

/** The tab of a run that sets it beside another. */
export function Compare({ id, head, query }) {
  const other = query.get('with') ?? '';
  const [text, setText] = useState(other);
  const [near] = useLive(`/runs?limit=30&workflow=${encodeURIComponent(head.workflow)}`, null);
  const choose = run => { setText(run); settle(to(['run', id, 'compare'], { with: run })); };
  const others = near?.items.filter(one => one.run_id !== id) ?? [], good = others.find(one => one.status === 'completed');
  return html`<form class="bar" onSubmit=${event => { event.preventDefault(); choose(text.trim()); }}><label for="other">With the run</label>
      <input id="other" list="others" class="path wide-input" value=${text} autocomplete="off" placeholder="run id" onInput=${event => setText(event.target.value)} /><datalist id="others">${others.map(one => html`<option value=${one.run_id}>${stateOf(one)}, ${ago(one.created_at)}</option>`)}</datalist>
      <button>Compare</button>
      ${head.tags.forked_from ? html`<button type="button" onClick=${() => choose(head.tags.forked_from)}>its parent</button>` : null}${head.tags.rerun_of ? html`<button type="button" onClick=${() => choose(head.tags.rerun_of)}>the run that it repeats</button>` : null}
      ${good ? html`<button type="button" onClick=${() => choose(good.run_id)}>the last that completed</button>` : null}</form>
    ${other ? html`<p class="faint">${runLink(id)} and ${runLink(other)}</p><${Difference} key=${other} id=${id} other=${other} />` : html`<${Nothing} title="Choose another run.">Of the same workflow, or any.<//>`}`;
}
