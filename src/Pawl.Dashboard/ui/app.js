import { html, render, useState, useEffect } from './vendor/preact-htm.js';
import { useLive } from './lib.js';
import { Runs } from './runs.js';

/** What is not the first page comes when it is opened. */
const later = (module, name) => {
  let Part = null;
  return props => {
    const [, setState] = useState(null);
    const [failed, setFailed] = useState(false);
    useEffect(() => { if (!Part) import(module).then(found => { Part = found[name]; setState(name); }, () => setFailed(true)); }, []);
    return Part ? html`<${Part} ...${props} />` : failed ? html`<p class="empty" role="alert">This page could not be read. Reload it.</p>` : html`<p class="empty" role="status">Loading …</p>`;
  };
};

const Run = later('./run.js', 'Run');
const [Approvals, Workflows, Queues, Schedules, Storage] = ['Approvals', 'Workflows', 'Queues', 'Schedules', 'Storage'].map(name => later('./lists.js', name));

const pages = [['runs', 'Runs', Runs], ['approvals', 'Approvals', Approvals], ['workflows', 'Workflows', Workflows], ['queues', 'Queues and workers', Queues], ['schedules', 'Schedules', Schedules], ['storage', 'Storage', Storage]];

function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  return { page: parts[0] ?? 'runs', parts: parts.slice(1), query: new URLSearchParams(query) };
}

function App() {
  const [here, setHere] = useState(place());
  const [info] = useLive('/info', null);
  useEffect(() => {
    const moved = () => setHere(place());
    addEventListener('hashchange', moved);
    // It may have moved between the first look and this one.
    moved();
    return () => removeEventListener('hashchange', moved);
  }, []);
  const page = pages.find(([name]) => name === here.page);
  useEffect(() => { document.title = here.page === 'run' ? `${here.parts[0]} – Pawl` : `${page?.[1] ?? 'Pawl'} – Pawl`; }, [here]);
  return html`
    <a class="skip" href="#main" onClick=${event => { event.preventDefault(); document.getElementById('main').focus(); }}>To the content</a>
    <header class="top">
      <strong><a href="#/runs">Pawl</a></strong>
      <nav aria-label="Pages">${pages.map(([name, title]) => html`<a href="#/${name}" aria-current=${name === here.page ? 'page' : null}>${title}</a>`)}</nav>
      ${info ? html`<span class="store">${info.store}${info.read_only ? ' · read-only' : ''}${info.durability === 'power' ? '' : html` · <b class="waiting">keeps through ${info.durability === 'none' ? 'nothing: memory only' : 'a killed process, not a loss of power'}</b>`}</span>` : null}
    </header>
    <main id="main" tabindex="-1">${here.page === 'run' && here.parts[0]
      ? html`<${Run} key=${here.parts[0]} id=${here.parts[0]} tab=${here.parts[1]} query=${here.query} info=${info} />`
      : page ? html`<${page[2]} query=${here.query} info=${info} />` : html`<p class="empty">There is no page '${here.page}'. <a href="#/runs">To the runs</a></p>`}</main>`;
}

render(html`<${App} />`, document.getElementById('app'));
