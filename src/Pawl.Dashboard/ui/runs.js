import { html, useState } from './vendor/preact-htm.js';
import { ask, useLive, Loaded, State, Time, Trouble, stateOf, duration } from './lib.js';

const statuses = ['running', 'waiting', 'failed', 'pending', 'paused', 'completed', 'canceled'];

const address = query => `#/runs?${query}`;

export function Runs({ query }) {
  const [counts] = useLive('/counts');
  const path = `/runs?limit=50&${query}`;
  const [first, problem] = useLive(path);
  const [more, setMore] = useState({ path, items: [], next: undefined, problem: null });
  const later = more.path === path ? more : { path, items: [], next: undefined, problem: null };
  const next = later.next === undefined ? first?.next : later.next;
  const load = async () => {
    try {
      const page = await ask(`${path}&behind=${encodeURIComponent(next)}`);
      setMore({ path, items: [...later.items, ...page.items], next: page.next ?? null, problem: null });
    } catch (error) {
      setMore({ ...later, problem: error });
    }
  };
  const change = (name, value) => {
    const changed = new URLSearchParams(query);
    value ? changed.set(name, value) : changed.delete(name);
    location.hash = address(changed).slice(1);
  };
  const status = query.get('status');
  return html`<h1>Runs</h1>
    <div class="bar" role="group" aria-label="Status">
      <button aria-pressed=${!status} onClick=${() => change('status', null)}>all</button>
      ${statuses.map(name => html`<button aria-pressed=${status === name} onClick=${() => change('status', name)}>${name}${counts ? html` <span class="faint">${counts.counts[name]}${counts.counts[name] >= counts.at_most ? '+' : ''}</span>` : null}</button>`)}
    </div>
    <form class="bar" role="search" onSubmit=${event => { event.preventDefault(); change('text', event.target.elements.text.value.trim()); }}>
      <input name="text" type="search" aria-label="Search id, workflow, error, tag" placeholder="id, workflow, error, tag=value" defaultValue=${query.get('text') ?? ''} />
      <button>Search</button>
      ${query.get('workflow') ? html`<button type="button" onClick=${() => change('workflow', null)} aria-label="Remove the workflow's filter">workflow: ${query.get('workflow')} ✕</button>` : null}
    </form>
    <${Loaded} value=${first} problem=${problem}>${() => {
      const items = [...first.items, ...later.items.filter(head => !first.items.some(one => one.run_id === head.run_id))];
      return items.length === 0 ? html`<p class="empty">${[...query].length ? 'No run is like that.' : html`No runs yet. Start one with <code>pawl run FILE</code>.`}</p>`
        : html`<${RunTable} items=${items} />${next ? html`<div class="bar"><button onClick=${load}>Older runs</button></div>` : null}<${Trouble} problem=${later.problem} />`;
    }}<//>`;
}

export const RunTable = ({ items }) => html`<div class="scroll" tabindex="0"><table>
  <thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">Steps</th><th scope="col" class="wide">Workflow</th><th scope="col" class="wide">Took</th><th scope="col">Changed</th><th scope="col" class="wide">What is the matter</th></tr></thead>
  <tbody>${items.map(head => html`<tr key=${head.run_id}>
    <td><a class="path" href="#/run/${encodeURIComponent(head.run_id)}">${head.run_id}</a></td>
    <td><${State} of=${stateOf(head)} /></td>
    <td class="num">${head.done} / ${head.total}</td>
    <td class="wide"><a href="#/runs?workflow=${encodeURIComponent(head.workflow)}">${head.workflow}</a></td>
    <td class="num wide">${head.started_at ? duration((head.owner ? Date.now() : Date.parse(head.updated_at)) - Date.parse(head.started_at)) : ''}</td>
    <td><${Time} of=${head.updated_at} /></td>
    <td class="wide">${head.error ? html`<b class="path">${head.error_step}</b> ${head.error.slice(0, 160)}` : head.waits?.length ? head.waits.map(wait => wait.message ?? (wait.is_child_run ? 'its child run' : wait.signal ? `signal ${wait.signal}` : `until ${new Date(wait.due).toLocaleString()}`)).join('; ').slice(0, 160) : ''}</td>
  </tr>`)}</tbody></table></div>`;
