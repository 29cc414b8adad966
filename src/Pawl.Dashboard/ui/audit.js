// Who did what, when and why: out of the journals and messages of the runs.
import { html, useState } from './vendor/preact-htm.js';
import { ask, at, to, settle, useLive, Loaded, Nothing, Time, Trouble, runLink } from './lib.js';

const words = {
  started: 'started', enqueued: 'enqueued', forked: 'forked', resumed: 'resumed', requeued: 'put back into its queue', paused: 'paused', canceled: 'canceled', asked_to_pause: 'asked to pause',
  asked_to_cancel: 'asked to cancel', approved: 'approved', rejected: 'rejected', signaled: 'sent a signal', removed: 'removed',
};

const Acts = ({ items, whole }) => html`<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">Did</th>${whole ? html`<th scope="col">Run</th>` : null}<th scope="col">What exactly</th><th scope="col">Why</th></tr></thead>
  <tbody>${items.map((act, index) => html`<tr key=${`${act.run_id}.${act.at}.${index}`}><td class="fit"><${Time} of=${act.at} /></td><td>${act.by ?? html`<span class="faint">not told</span>`}</td>
    <td class="fit"><b>${words[act.what] ?? act.what}</b></td>${whole ? html`<td>${runLink(act.run_id)}</td>` : null}
    <td>${act.detail ?? ''}${act.seq && !whole ? html` <a href=${to(['run', act.run_id, 'checkpoints'], { seq: act.seq })}>checkpoint ${act.seq}</a>` : null}</td><td>${act.reason ?? ''}</td></tr>`)}</tbody></table></div>`;

export function Audit({ query }) {
  const filter = new URLSearchParams([...query].filter(([name]) => ['who', 'what', 'workflow', 'text'].includes(name)));
  const path = `/audit?${filter}`;
  const [first, problem] = useLive(path);
  const [more, setMore] = useState({ path, pages: [], problem: null });
  const later = more.path === path ? more : { path, pages: [], problem: null };
  const change = (name, value) => settle(to(['audit'], { ...Object.fromEntries(filter), [name]: value }));
  return html`<h1>Audit</h1><p class="faint">What people did, as the runs themselves record it. What the engine did by itself is in each run's journal.</p>
    <${Loaded} value=${first} problem=${problem}>${() => {
      const pages = [first, ...later.pages], last = pages.at(-1), items = pages.flatMap(page => page.items), people = [...new Set(pages.flatMap(page => page.people))].sort();
      const load = async () => {
        try { setMore({ path, pages: [...later.pages, await ask(`${path}&behind=${encodeURIComponent(last.next)}`)], problem: null }); } catch (error) { setMore({ ...later, problem: error }); }
      };
      return html`<div class="bar"><label for="who">Who</label> <select id="who" value=${query.get('who') ?? ''} onChange=${event => change('who', event.target.value)}><option value="">anybody</option>${[...new Set([...people, ...(query.get('who') ? [query.get('who')] : [])])].map(one => html`<option value=${one}>${one}</option>`)}</select>
          <label for="what">Did</label> <select id="what" value=${query.get('what') ?? ''} onChange=${event => change('what', event.target.value)}><option value="">anything</option>${Object.entries(words).map(([name, word]) => html`<option value=${name}>${word}</option>`)}</select></div>
        ${pages.flatMap(page => page.unreadable).map(id => html`<div class="note bad" key=${id}>The journal of ${runLink(id)} is damaged and tells nothing here.</div>`)}
        ${items.length ? html`<${Acts} items=${items} whole />` : html`<${Nothing} title="Nobody did anything like that.">Steps that run by themselves are no acts of people.<//>`}
        <p class="faint">Out of the ${pages.reduce((sum, page) => sum + page.runs, 0)} newest runs${last.since ? html`, back to <time datetime=${last.since}>${new Date(last.since).toLocaleString()}</time>` : ''}.</p>
        ${last.next ? html`<div class="bar"><button onClick=${load}>Look at older runs</button></div>` : null}<${Trouble} problem=${later.problem} />`;
    }}<//>`;
}

export function RunAudit({ id, head }) {
  const [value, problem] = useLive(`/runs/${at([id])}/audit`, `/runs/${at([id])}/events`);
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.items.length ? html`<${Acts} items=${value.items} />`
    : html`<${Nothing} title="Nobody did anything to this run.">${head.parent_run_id ? html`It was started by ${runLink(head.parent_run_id)}.` : head.tags.schedule ? `The schedule ${head.tags.schedule} made it.` : ''}<//>`}<//>`;
}
