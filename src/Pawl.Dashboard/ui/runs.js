import { html, useState, useEffect, useMemo } from './vendor/preact-htm.js';
import { api, ask, to, open, later, afterwards, useLive, Loaded, Nothing, State, Time, Trouble, stateOf, duration } from './lib.js';

const Bulk = later('./bulk.js', 'Bulk'), BulkBar = later('./bulk.js', 'BulkBar');

const statuses = ['running', 'waiting', 'failed', 'pending', 'paused', 'completed', 'canceled'];
const ages = [['', 'any time'], ['1h', 'the last hour'], ['1d', 'the last day'], ['7d', 'the last week'], ['30d', 'the last 30 days']];
const hours = { h: 1, d: 24 };

/** What the API is asked for; an age stays one in the address of the page, so that a link means the same tomorrow. */
function filterOf(query) {
  const filter = new URLSearchParams(query), age = filter.get('age');
  filter.delete('age');
  if (/^\d+[hd]$/.test(age ?? '')) filter.set('since', new Date(Date.now() - Number(age.slice(0, -1)) * hours[age.at(-1)] * 3600000).toISOString());
  return filter.toString();
}

export function Runs({ query, info }) {
  const [counts] = useLive('/counts');
  const filter = useMemo(() => filterOf(query), [query.toString()]);
  const path = `/runs?limit=50&${filter}`;
  const [first, problem, reload] = useLive(path);
  const [more, setMore] = useState({ path, items: [], next: undefined, problem: null });
  const [chosen, setChosen] = useState(new Set());
  const [isMany, setMany] = useState(false);
  const [bulk, setBulk] = useState(null);
  const older = more.path === path ? more : { path, items: [], next: undefined, problem: null };
  const next = older.next === undefined ? first?.next : older.next;
  const load = async () => {
    try {
      const page = await ask(`${path}&behind=${encodeURIComponent(next)}`);
      setMore({ path, items: [...older.items, ...page.items], next: page.next ?? null, problem: null });
    } catch (error) {
      setMore({ ...older, problem: error });
    }
  };
  const change = (name, value, of) => {
    const changed = new URLSearchParams(query);
    if (of !== undefined) changed.delete(name, of);
    else value ? changed.set(name, value) : changed.delete(name);
    open(`#/runs?${changed}`);
  };
  const status = query.get('status'), mayChange = !info?.read_only;
  const choose = (id, on) => { const now = new Set(chosen); on ? now.add(id) : now.delete(id); setChosen(now); };
  const chip = (label, name, of) => html`<button type="button" class="chip" onClick=${() => change(name, null, of)} aria-label=${`Remove the filter ${label}`}>${label} ✕</button>`;
  return html`<div class="head"><h1>Runs</h1>${mayChange ? html`<a class="button main" href="#/start">Start a run …</a>` : null}</div>
    <div class="bar" role="group" aria-label="Status">
      <button aria-pressed=${!status} onClick=${() => change('status', null)}>all</button>
      ${statuses.map(name => html`<button aria-pressed=${status === name} onClick=${() => change('status', name)}>${name}${counts ? html` <span class="count">${counts.counts[name]}${counts.counts[name] >= counts.at_most ? '+' : ''}</span>` : null}</button>`)}
    </div>
    <form class="bar" role="search" onSubmit=${event => { event.preventDefault(); change('text', event.target.elements.text.value.trim()); }}>
      <input name="text" type="search" key=${query.get('text')} aria-label="Search id, workflow, error, tag" placeholder="id, workflow, error, tag=value" defaultValue=${query.get('text') ?? ''} />
      <button>Search</button>
      <select aria-label="Created in" value=${query.get('age') ?? ''} onChange=${event => change('age', event.target.value)}>${ages.map(([age, title]) => html`<option value=${age}>${title}</option>`)}</select>
      ${query.get('workflow') ? chip(`workflow: ${query.get('workflow')}`, 'workflow') : null}${query.get('text') ? chip(`"${query.get('text')}"`, 'text') : null}${query.getAll('where').map(tag => chip(tag, 'where', tag))}
      <span class="right">${mayChange ? html`<button type="button" aria-pressed=${isMany} onClick=${() => { setMany(!isMany); setChosen(new Set()); }}>Many at once …</button>` : null}
        <a class="button" href=${`${api}/export/runs?format=csv&${filter}`} download>CSV</a><a class="button" href=${`${api}/export/runs?format=json&${filter}`} download>JSON</a></span>
    </form>
    ${isMany ? html`<${BulkBar} chosen=${[...chosen]} clear=${() => setChosen(new Set())} begin=${(action, runs) => setBulk({ action, runs })} />` : null}
    <${Loaded} value=${first} problem=${problem}>${() => {
      const items = [...first.items, ...older.items.filter(head => !first.items.some(one => one.run_id === head.run_id))];
      return items.length === 0 ? next ? html`<${Nothing} title="None of the newest runs is like that."><button onClick=${load}>Look among older ones</button><//><${Trouble} problem=${older.problem} />`
          : [...query].length ? html`<${Nothing} title="No run is like that."><a href="#/runs">Show all runs</a><//>`
          : html`<${Nothing} title="No runs yet.">Start one ${mayChange ? html`<a href="#/start">from here</a>, or ` : ''}with <code>pawl run FILE</code>.<//>`
        : html`<${RunTable} items=${items} choice=${isMany ? { has: id => chosen.has(id), choose, all: on => setChosen(new Set(on ? items.map(head => head.run_id) : [])) } : null} />${next ? html`<div class="bar"><button onClick=${load}>Older runs</button></div>` : null}<${Trouble} problem=${older.problem} />`;
    }}<//>
    ${bulk ? html`<${Bulk} ...${bulk} filter=${filter} close=${() => setBulk(null)} done=${() => { setChosen(new Set()); reload(); }} />` : null}`;
}

// What a screen shows is there at once, and the rest when that has been seen.
const screen = Math.ceil(innerHeight / 60);

export function RunTable({ items, choice }) {
  const [isWhole, setWhole] = useState(false);
  useEffect(() => { const rest = setTimeout(() => setWhole(true), afterwards); return () => clearTimeout(rest); }, []);
  return html`<div class="scroll" tabindex="0"><table>
  <thead><tr>${choice ? html`<th scope="col" class="fit"><input type="checkbox" aria-label="Choose all that are listed" checked=${items.every(head => choice.has(head.run_id))} onChange=${event => choice.all(event.target.checked)} /></th>` : null}<th scope="col">Run</th><th scope="col">State</th><th scope="col" class="num">Steps</th><th scope="col" class="wide">Workflow</th><th scope="col" class="wide num">Took</th><th scope="col">Changed</th><th scope="col" class="wide">What is the matter</th></tr></thead>
  <tbody>${(isWhole ? items : items.slice(0, screen)).map(head => html`<tr key=${head.run_id}>
    ${choice ? html`<td class="fit"><input type="checkbox" aria-label=${`Choose ${head.run_id}`} checked=${choice.has(head.run_id)} onChange=${event => choice.choose(head.run_id, event.target.checked)} /></td>` : null}
    <td><a class="path" href=${to(['run', head.run_id])}>${head.run_id}</a></td>
    <td><${State} of=${stateOf(head)} /></td>
    <td class="num">${head.done} / ${head.total}</td>
    <td class="wide"><a href=${to(['workflow', head.workflow])}>${head.workflow}</a></td>
    <td class="num wide">${head.started_at ? duration((head.owner ? Date.now() : Date.parse(head.updated_at)) - Date.parse(head.started_at)) : ''}</td>
    <td class="fit"><${Time} of=${head.updated_at} /></td>
    <td class="wide why">${head.error ? html`<b class="path">${head.error_step}</b> ${head.error.slice(0, 160)}` : head.waits?.length ? head.waits.map(wait => wait.message ?? (wait.is_child_run ? 'its child run' : wait.signal ? `signal ${wait.signal}` : `until ${new Date(wait.due).toLocaleString()}`)).join('; ').slice(0, 160) : ''}</td>
  </tr>`)}</tbody></table></div>`;
}
