import { html, useState, useEffect, useMemo } from './vendor/preact-htm.js';
import { api, ask, to, open, later, afterwards, useLive, Loaded, Nothing, State, Time, Took, stateOf } from './lib.js';

const Bulk = later('./bulk.js', 'Bulk'), BulkBar = later('./bulk.js', 'BulkBar');

const statuses = ['running', 'waiting', 'failed', 'pending', 'paused', 'completed', 'canceled'];
const ages = [['', 'any time'], ['1h', 'the last hour'], ['1d', 'the last day'], ['7d', 'the last week'], ['30d', 'the last 30 days']];
const hours = { h: 1, d: 24 };

/** What the API is asked for; an age stays one in the address of the page, so that a link means the same tomorrow. Where the list begins is no part of it. */
function filterOf(query) {
  const filter = new URLSearchParams(query), age = filter.get('age');
  filter.delete('age');
  filter.delete('behind');
  if (/^\d+[hd]$/.test(age ?? '')) filter.set('since', new Date(Date.now() - Number(age.slice(0, -1)) * hours[age.at(-1)] * 3600000).toISOString());
  return filter.toString();
}

export function Runs({ query, info }) {
  const [counts] = useLive('/counts');
  const filter = useMemo(() => filterOf(query), [query.toString()]);
  const behind = query.get('behind');
  const [list, problem, reload] = useLive(`/runs?limit=50&${filter}${behind ? `&behind=${encodeURIComponent(behind)}` : ''}`);
  const [chosen, setChosen] = useState(new Set());
  const [isMany, setMany] = useState(false);
  const [bulk, setBulk] = useState(null);
  const [names, setNames] = useState(null);
  // A page of the list begins behind a place: what comes newer moves no run from one page to another.
  const changed = (name, value, of) => {
    const place = new URLSearchParams(query);
    place.delete('behind');
    if (of !== undefined) place.delete(name, of);
    else value ? place.set(name, value) : place.delete(name);
    return `#/runs?${place}`;
  };
  const change = (...what) => open(changed(...what));
  const older = title => html`<a class="button" href=${changed('behind', list.next)}>${title}</a>`;
  const search = event => {
    event.preventDefault();
    const place = new URLSearchParams(query), { text, workflow, where } = event.target.elements, tag = where.value.trim();
    place.delete('behind');
    for (const { name, value } of [text, workflow]) value.trim() ? place.set(name, value.trim()) : place.delete(name);
    if (tag && !place.getAll('where').includes(tag)) place.append('where', tag);
    where.value = '';
    open(`#/runs?${place}`);
  };
  const status = query.get('status'), mayChange = !info?.read_only;
  const choose = (id, on) => { const now = new Set(chosen); on ? now.add(id) : now.delete(id); setChosen(now); };
  const chip = (label, name, of) => html`<button type="button" class="chip" onClick=${() => change(name, null, of)} aria-label=${`Remove the filter ${label}`}>${label} ✕</button>`;
  return html`<div class="head"><h1>Runs</h1>${mayChange ? html`<a class="button main" href="#/start">Start a run …</a>` : null}</div>
    <div class="bar" role="group" aria-label="Status">
      <button aria-pressed=${!status} onClick=${() => change('status', null)}>all</button>
      ${statuses.map(name => html`<button aria-pressed=${status === name} onClick=${() => change('status', name)}>${name}${counts ? html` <span class="count">${counts.counts[name]}${counts.counts[name] >= counts.at_most ? '+' : ''}</span>` : null}</button>`)}
    </div>
    <form class="bar" role="search" onSubmit=${search}>
      <input name="text" type="search" key=${`text ${query.get('text')}`} aria-label="Search id, workflow, error, tag" placeholder="id, workflow, error, tag=value" defaultValue=${query.get('text') ?? ''} />
      <input name="workflow" size="14" list="workflows" key=${`workflow ${query.get('workflow')}`} aria-label="Workflow" placeholder="any workflow" autocomplete="off" defaultValue=${query.get('workflow') ?? ''} onFocus=${() => { if (!names) ask('/workflows').then(found => setNames(found.items.map(item => item.name)), () => {}); }} />
      <datalist id="workflows">${names?.map(name => html`<option value=${name} />`)}</datalist>
      <input name="where" size="12" pattern="[^=]+=.*" title="name=value" aria-label="Tag" placeholder="tag=value" autocomplete="off" />
      <button>Search</button>
      <select aria-label="Created in" value=${query.get('age') ?? ''} onChange=${event => change('age', event.target.value)}>${ages.map(([age, title]) => html`<option value=${age}>${title}</option>`)}</select>
      ${query.get('workflow') ? chip(`workflow: ${query.get('workflow')}`, 'workflow') : null}${query.get('text') ? chip(`"${query.get('text')}"`, 'text') : null}${query.getAll('where').map(tag => chip(tag, 'where', tag))}${behind ? chip(`older than ${behind.slice(behind.indexOf('~') + 1)}`, 'behind') : null}
      <span class="right">${mayChange ? html`<button type="button" aria-pressed=${isMany} onClick=${() => { setMany(!isMany); setChosen(new Set()); }}>Many at once …</button>` : null}
        <a class="button" href=${`${api}/export/runs?format=csv&${filter}`} download>CSV</a><a class="button" href=${`${api}/export/runs?format=json&${filter}`} download>JSON</a></span>
    </form>
    ${isMany ? html`<${BulkBar} chosen=${[...chosen]} clear=${() => setChosen(new Set())} begin=${(action, runs) => setBulk({ action, runs })} />` : null}
    <${Loaded} value=${list} problem=${problem}>${() => list.items.length === 0
      ? list.next ? html`<${Nothing} title="None of the newest runs is like that.">${older('Look among older ones')}<//>`
        : [...query].length ? html`<${Nothing} title="No run is like that."><a href="#/runs">Show all runs</a><//>`
        : html`<${Nothing} title="No runs yet.">Start one ${mayChange ? html`<a href="#/start">from here</a>, or ` : ''}with <code>pawl run FILE</code>.<//>`
      : html`<${RunTable} items=${list.items} choice=${isMany ? { has: id => chosen.has(id), choose, all: on => setChosen(new Set(on ? list.items.map(head => head.run_id) : [])) } : null} />${list.next ? html`<div class="bar">${older('Older runs')}</div>` : null}`}<//>
    ${bulk ? html`<${Bulk} ...${bulk} filter=${filter} close=${() => setBulk(null)} done=${() => { setChosen(new Set()); reload(); }} />` : null}`;
}

function waitsFor({ run_id, waits }) {
  const text = waits.map(wait => wait.message ?? (wait.is_child_run ? 'its child run' : wait.signal ? `signal ${wait.signal}` : `until ${new Date(wait.due).toLocaleString()}`)).join('; ').slice(0, 160);
  // The id of a child run begins with its parent's.
  return waits.some(wait => wait.is_child_run) ? html`<a href=${to(['runs'], { text: `${run_id}.` })}>${text}</a>` : text;
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
    <td class="num wide"><${Took} of=${head} /></td>
    <td class="fit"><${Time} of=${head.updated_at} /></td>
    <td class="wide why">${head.error ? html`<b class="path">${head.error_step}</b> ${head.error.slice(0, 160)}` : head.waits?.length ? waitsFor(head) : ''}</td>
  </tr>`)}</tbody></table></div>`;
}
