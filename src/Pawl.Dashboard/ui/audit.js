// Who did what, when and why: out of the journals and messages of the runs.
import { html } from './vendor/preact-htm.js';
import { at, to, settle, useLive, Loaded, Nothing, Time, runLink } from './lib.js';

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
  // A page begins behind a place: what comes newer moves no run from one page to another.
  const behind = query.get('behind'), chosen = Object.fromEntries(filter);
  const [value, problem] = useLive(`/audit?${filter}${behind ? `&behind=${encodeURIComponent(behind)}` : ''}`);
  const change = (name, value) => settle(to(['audit'], { ...chosen, behind, [name]: value }));
  return html`<h1>Audit</h1><p class="faint">What people did, as the runs themselves record it. What the engine did by itself is in each run's journal.</p>
    <${Loaded} value=${value} problem=${problem}>${() => html`<div class="bar"><label for="who">Who</label> <select id="who" value=${query.get('who') ?? ''} onChange=${event => change('who', event.target.value)}><option value="">anybody</option>${[...new Set([...value.people, ...(query.get('who') ? [query.get('who')] : [])])].map(one => html`<option value=${one}>${one}</option>`)}</select>
          <label for="what">Did</label> <select id="what" value=${query.get('what') ?? ''} onChange=${event => change('what', event.target.value)}><option value="">anything</option>${Object.entries(words).map(([name, word]) => html`<option value=${name}>${word}</option>`)}</select></div>
        ${value.unreadable.map(id => html`<div class="note bad" key=${id}>The journal of ${runLink(id)} is damaged and tells nothing here.</div>`)}
        ${value.items.length ? html`<${Acts} items=${value.items} whole />` : html`<${Nothing} title="Nobody did anything like that.">Steps that run by themselves are no acts of people.<//>`}
        <p class="faint">Out of the ${value.runs} ${behind ? html`runs that are older than ${runLink(behind.slice(behind.indexOf('~') + 1))}` : 'newest runs'}${value.since ? html`, back to <time datetime=${value.since}>${new Date(value.since).toLocaleString()}</time>` : ''}.</p>
        <div class="bar">${value.next ? html`<a class="button" href=${to(['audit'], { ...chosen, behind: value.next })}>Look at older runs</a>` : null}${behind ? html`<a class="button" href=${to(['audit'], chosen)}>Look at the newest runs</a>` : null}</div>`}<//>`;
}

export function RunAudit({ id, head }) {
  const [value, problem] = useLive(`/runs/${at([id])}/audit`, `/runs/${at([id])}/events`);
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.items.length ? html`<${Acts} items=${value.items} />`
    : html`<${Nothing} title="Nobody did anything to this run.">${head.parent_run_id ? html`It was started by ${runLink(head.parent_run_id)}.` : head.tags.schedule ? `The schedule ${head.tags.schedule} made it.` : ''}<//>`}<//>`;
}
