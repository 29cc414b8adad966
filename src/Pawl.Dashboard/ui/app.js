import { html, render, useState, useEffect } from './vendor/preact-htm.js';
import { useLive, later, askEarly, at, Nothing } from './lib.js';
import { Runs } from './runs.js';
import { Keys, useKeys } from './keys.js';

const Run = later('./run.js', 'Run'), WorkflowPage = later('./workflow.js', 'WorkflowPage'), Start = later('./start.js', 'Start'), Audit = later('./audit.js', 'Audit');
const [Approvals, Workflows, Queues, Schedules, Storage] = ['Approvals', 'Workflows', 'Queues', 'Schedules', 'Storage'].map(name => later('./lists.js', name));

const pages = [['runs', 'Runs', Runs], ['approvals', 'Approvals', Approvals], ['workflows', 'Workflows', Workflows], ['queues', 'Queues and workers', Queues], ['schedules', 'Schedules', Schedules], ['storage', 'Storage', Storage], ['audit', 'Audit', Audit]];
const under = { run: 'runs', start: 'runs', workflow: 'workflows' };

function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  let parts;
  try { parts = path.split('/').filter(Boolean).map(decodeURIComponent); } catch { parts = [path]; }
  return { page: parts[0] ?? 'runs', parts: parts.slice(1), query: new URLSearchParams(query) };
}

function Page({ here, info }) {
  const [first, second] = here.parts, page = pages.find(([name]) => name === here.page);
  if (here.page === 'run' && first) return html`<${Run} key=${first} id=${first} tab=${second} query=${here.query} info=${info} />`;
  if (here.page === 'workflow' && first) return html`<${WorkflowPage} key=${first} name=${first} query=${here.query} info=${info} />`;
  if (here.page === 'start') return html`<${Start} query=${here.query} info=${info} />`;
  return page ? html`<${page[2]} query=${here.query} info=${info} />` : html`<h1>Nothing here</h1><${Nothing} title=${`There is no page '${here.page}'.`}><a href="#/runs">To the runs</a><//>`;
}

function App() {
  const [here, setHere] = useState(place());
  const [info] = useLive('/info', null);
  const [keys, setKeys] = useState(false);
  useKeys(() => setKeys(true));
  useEffect(() => {
    const moved = () => setHere(place());
    addEventListener('hashchange', moved);
    // It may have moved between the first look and this one.
    moved();
    return () => removeEventListener('hashchange', moved);
  }, []);
  const title = here.parts[0] ?? (here.page === 'start' ? 'Start a run' : pages.find(([name]) => name === here.page)?.[1]);
  useEffect(() => { document.title = title ? `${title} – Pawl` : 'Pawl'; }, [title]);
  return html`
    <a class="skip" href="#main" onClick=${event => { event.preventDefault(); document.getElementById('main').focus(); }}>To the content</a>
    <header class="top">
      <strong><a href="#/runs">Pawl</a></strong>
      <nav aria-label="Pages">${pages.map(([name, title]) => html`<a href="#/${name}" aria-current=${name === (under[here.page] ?? here.page) ? 'page' : null}>${title}</a>`)}</nav>
      <span class="store">${info ? html`<span class="path">${info.store}</span>${info.read_only ? ' · read-only' : ''}${info.durability === 'power' ? '' : html` · <b class="waiting">keeps through ${info.durability === 'none' ? 'nothing: memory only' : 'a killed process, not a loss of power'}</b>`}` : null}
        <button class="small" aria-label="Keys" title="Keys (?)" onClick=${() => setKeys(true)}>?</button></span>
    </header>
    <main id="main" tabindex="-1"><${Page} here=${here} info=${info} /></main>
    ${keys ? html`<${Keys} close=${() => setKeys(false)} />` : null}`;
}

const here = place();
if (here.page === 'run' && here.parts[0]) {
  import('./run.js');
  askEarly(`/runs/${at([here.parts[0]])}`);
}
render(html`<${App} />`, document.getElementById('app'));
