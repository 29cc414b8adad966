import { html, useState } from './vendor/preact-htm.js';
import { ask, at, useLive, Loaded, State, Time, Ask, Trouble, stateOf, duration, parse } from './lib.js';
import { RunTable } from './runs.js';

const runLink = id => html`<a class="path" href="#/run/${encodeURIComponent(id)}">${id}</a>`;

export function Approvals({ info }) {
  const [value, problem, reload] = useLive('/approvals');
  const [asked, setAsked] = useState(null);
  return html`<h1>Approvals</h1><${Loaded} value=${value} problem=${problem}>${() => value.items.length === 0 ? html`<p class="empty">Nobody waits for a decision.</p>` : value.items.map(item => html`
    <section class="note careful" key=${`${item.run_id}/${item.step}`}>
      <b>${item.message}</b>
      <div class="faint">${runLink(item.run_id)} · step <span class="path">${item.step}</span> · asked <${Time} of=${item.since} />${item.due ? html` · answer until ${new Date(item.due).toLocaleString()}` : ''}</div>
      ${info?.read_only ? null : html`<div class="bar"><button class="main" onClick=${() => setAsked({ item, approve: true })}>Approve …</button><button class="danger" onClick=${() => setAsked({ item, approve: false })}>Reject …</button></div>`}
    </section>`)}<//>
    ${asked ? html`<${Decide} ...${asked} close=${() => setAsked(null)} done=${reload} />` : null}`;
}

export function Decide({ item, approve, close, done }) {
  const [reason, setReason] = useState('');
  const [changes, setChanges] = useState('');
  return html`<${Ask} title=${approve ? 'Approve' : 'Reject'} say=${approve ? 'Approve' : 'Reject'} danger=${!approve} close=${close} done=${done}
    act=${() => ask(`/runs/${at([item.run_id])}/decide`, { step: item.step, approve, reason: reason || null, changes: approve ? parse(changes, 'The changes') : null })}>
    <p>${item.message}</p><p class="faint">${item.run_id} · ${item.step}. The first decision counts; it is kept with your name.</p>
    <label>Reason<input value=${reason} onInput=${event => setReason(event.target.value)} /></label>
    ${approve ? html`<label>Changes, as JSON (none: as asked)<textarea value=${changes} onInput=${event => setChanges(event.target.value)} spellcheck="false"></textarea></label>` : null}
  <//>`;
}

export function Workflows() {
  const [value, problem] = useLive('/workflows');
  return html`<h1>Workflows</h1><${Loaded} value=${value} problem=${problem}>${() => value.items.length === 0 ? html`<p class="empty">No runs yet.</p>` : html`<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Workflow</th><th scope="col">Versions</th><th scope="col">Runs</th><th scope="col">Success</th><th scope="col">Half took</th><th scope="col">95 % took</th><th scope="col">Last</th></tr></thead>
    <tbody>${value.items.map(item => html`<tr key=${item.name}><td><a href="#/runs?workflow=${encodeURIComponent(item.name)}">${item.name}</a></td><td>${item.versions.join(', ')}</td>
      <td class="num">${item.runs}</td><td class="num">${item.success == null ? '' : `${Math.round(item.success * 100)} %`}</td><td class="num">${duration(item.p50)}</td><td class="num">${duration(item.p95)}</td>
      <td><${State} of=${stateOf(item.last_run)} /> <${Time} of=${item.last_run.updated_at} /></td></tr>`)}</tbody></table></div>`}<//>`;
}

export function Queues() {
  const [value, problem] = useLive('/queues');
  return html`<h1>Queues and workers</h1><${Loaded} value=${value} problem=${problem}>${() => html`
    <h2>Queues</h2>${value.queues.length === 0 ? html`<p class="faint">Nothing is enqueued.</p>` : html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Queue</th><th scope="col">In line</th><th scope="col">Running</th><th scope="col">Waiting</th><th scope="col">Dead</th><th scope="col">Oldest in line</th></tr></thead>
      <tbody>${value.queues.map(queue => html`<tr key=${queue.name}><td>${queue.name}</td><td class="num">${queue.pending}</td><td class="num">${queue.running}</td><td class="num">${queue.waiting}</td><td class="num">${queue.dead}</td><td><${Time} of=${queue.oldest} /></td></tr>`)}</tbody></table></div>`}
    <h2>Who executes</h2>${value.owners.length === 0 ? html`<p class="faint">Nobody executes a run now.</p>` : value.owners.map(owner => html`<section class="note"><b>${owner.host}</b> process ${owner.pid} ${owner.command ?? ''}
      <ul>${owner.runs.map(run => html`<li>${runLink(run.run_id)} since <${Time} of=${run.since} /></li>`)}</ul></section>`)}
    ${value.dead_letters.length ? html`<h2>Dead letters</h2><${RunTable} items=${value.dead_letters} />` : null}`}<//>`;
}

export function Schedules({ info }) {
  const [value, problem, reload] = useLive('/schedules');
  const [failed, setFailed] = useState(null);
  const act = async (name, verb) => {
    try { await ask(`/schedules/${at([name])}/${verb}`, {}); setFailed(null); } catch (error) { setFailed(error); }
    reload();
  };
  return html`<h1>Schedules</h1><${Trouble} problem=${failed} /><${Loaded} value=${value} problem=${problem}>${() => value.items.length === 0 ? html`<p class="empty">No schedules. Make one with <code>pawl schedule add</code>.</p>` : html`<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Schedule</th><th scope="col">When</th><th scope="col">Next</th><th scope="col">Last</th><th scope="col"></th></tr></thead>
    <tbody>${value.items.map(item => html`<tr key=${item.name}><td>${item.name}${item.is_paused ? html` <${State} of="paused" />` : null}</td><td><code>${item.cron}</code> ${item.zone}</td><td>${item.is_paused ? '' : new Date(item.next).toLocaleString()}</td>
      <td>${item.last_run ? runLink(item.last_run.run_id) : ''}</td>
      <td>${info?.read_only ? null : html`<div class="bar"><button onClick=${() => act(item.name, item.is_paused ? 'resume' : 'pause')}>${item.is_paused ? 'Go on' : 'Pause'}</button><button onClick=${() => act(item.name, 'trigger')}>Run now</button></div>`}</td></tr>`)}</tbody></table></div>`}<//>`;
}

export function Storage({ info }) {
  const [days, setDays] = useState('30');
  const [keep, setKeep] = useState('0');
  const [preview, setPreview] = useState(null);
  const [problem, setProblem] = useState(null);
  const [sure, setSure] = useState(false);
  const body = dry => ({ older_than_days: days === '' ? null : Number(days), keep_last: Number(keep), dry_run: dry });
  const look = async event => {
    event.preventDefault();
    try { setPreview(await ask('/prune', body(true))); setProblem(null); } catch (error) { setProblem(error); }
  };
  return html`<h1>Storage</h1>
    <dl class="facts"><div><dt>Store</dt><dd class="path">${info?.store}</dd></div><div><dt>Keeps through</dt><dd>${info ? { power: 'a loss of power', process: 'a killed process', none: 'nothing: memory only' }[info.durability] : ''}</dd></div>${info?.remark ? html`<div><dt>Remark</dt><dd>${info.remark}</dd></div>` : null}</dl>
    ${info?.read_only ? null : html`<h2>Remove finished runs</h2><p class="faint">What can still be resumed always stays.</p>
      <form class="bar" onSubmit=${look}><label>Older than days <input type="number" min="0" step="any" value=${days} onInput=${event => setDays(event.target.value)} /></label>
        <label>Keep of each workflow <input type="number" min="0" value=${keep} onInput=${event => setKeep(event.target.value)} /></label><button>Show what would go</button></form>
      <${Trouble} problem=${problem} />
      ${preview ? preview.items.length === 0 ? html`<p class="empty">Nothing would go.</p>` : html`<p>${preview.items.length} runs would go.</p><${RunTable} items=${preview.items.slice(0, 200)} /><div class="bar"><button class="danger" onClick=${() => setSure(true)}>Remove ${preview.items.length} runs …</button></div>` : null}`}
    ${sure ? html`<${Ask} title="Remove ${preview.items.length} runs for good?" say="Remove" danger act=${() => ask('/prune', body(false))} close=${() => setSure(false)} done=${() => setPreview(null)}><p>Their journals cannot be had back.</p><//>` : null}`;
}
