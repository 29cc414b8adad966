import { html, useState } from './vendor/preact-htm.js';
import { ask, kept, at, to, open, settle, runLink, useLive, Loaded, Nothing, State, Time, Ask, Trouble, stateOf, duration } from './lib.js';
import { Editor, parse } from './editor.js';
import { RunTable } from './runs.js';

export function Approvals({ info }) {
  const [value, problem, reload] = useLive('/approvals');
  const [asked, setAsked] = useState(null);
  return html`<h1>Approvals</h1><${Loaded} value=${value} problem=${problem}>${() => value.items.length === 0 ? html`<${Nothing} title="Nobody waits for a decision.">What a run asks of people appears here by itself.<//>` : value.items.map(item => html`
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
    act=${() => ask(`/runs/${at([item.run_id])}/decide`, { step: item.step, approve, reason: reason || null, changes: approve ? parse(changes, 'The changes') : null }).then(kept)}>
    <p>${item.message}</p><p class="faint">${item.run_id} · ${item.step}. The first decision counts; it is kept with your name.</p>
    <label>Reason<input value=${reason} onInput=${event => setReason(event.target.value)} /></label>
    ${approve ? html`<${Editor} label="Changes, as JSON (none: as asked)" kind="object" text=${changes} change=${setChanges} />` : null}
  <//>`;
}

export function Workflows({ info }) {
  const [value, problem] = useLive('/workflows');
  const [known] = useLive('/definitions', null);
  const fresh = known && value ? known.items.filter(one => one.name && !value.items.some(item => item.name === one.name)) : [], startable = new Set(known?.items.map(one => one.name));
  const start = name => !info?.read_only && startable.has(name) ? html`<a class="button small" href=${to(['start'], { workflow: name })}>Start …</a>` : null;
  return html`<h1>Workflows</h1>
    ${known?.items.filter(one => one.problem).map(one => html`<div class="note bad" key=${one.path}><b class="path">${one.path}</b> cannot be used: ${one.problem}</div>`)}
    <${Loaded} value=${value} problem=${problem}>${() => value.items.length + fresh.length === 0 ? html`<${Nothing} title="No workflows yet.">They appear with their first run. Name files to <code>pawl ui FILE</code> to start them from here.<//>` : html`<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Workflow</th><th scope="col">Versions</th><th scope="col" class="num">Runs</th><th scope="col" class="num">Success</th><th scope="col" class="num">Half took</th><th scope="col" class="num">95 % took</th><th scope="col">Last</th><th scope="col"><span class="hidden">Start</span></th></tr></thead>
    <tbody>${value.items.map(item => html`<tr key=${item.name}><td><a href=${to(['workflow', item.name])}>${item.name}</a></td><td>${item.versions.join(', ')}</td>
      <td class="num">${item.runs}</td><td class="num">${item.success == null ? '' : `${Math.round(item.success * 100)} %`}</td><td class="num">${duration(item.p50)}</td><td class="num">${duration(item.p95)}</td>
      <td><${State} of=${stateOf(item.last_run)} /> <${Time} of=${item.last_run.updated_at} /></td><td class="fit">${start(item.name)}</td></tr>`)}
      ${fresh.map(one => html`<tr key=${one.name}><td>${one.name}</td><td>${one.version}</td><td class="num">0</td><td></td><td></td><td></td><td class="faint">no runs yet</td><td class="fit">${start(one.name)}</td></tr>`)}</tbody></table></div>`}<//>`;
}

export function Queues() {
  const [value, problem] = useLive('/queues');
  return html`<h1>Queues and workers</h1><${Loaded} value=${value} problem=${problem}>${() => html`
    <h2>Queues</h2>${value.queues.length === 0 ? html`<p class="faint">Nothing is enqueued.</p>` : html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Queue</th><th scope="col" class="num">In line</th><th scope="col" class="num">Running</th><th scope="col" class="num">Waiting</th><th scope="col" class="num">Dead</th><th scope="col">Oldest in line</th></tr></thead>
      <tbody>${value.queues.map(queue => html`<tr key=${queue.name}><td>${queue.name}</td><td class="num">${queue.pending}</td><td class="num">${queue.running}</td><td class="num">${queue.waiting}</td><td class="num">${queue.dead}</td><td><${Time} of=${queue.oldest} /></td></tr>`)}</tbody></table></div>`}
    <h2>Who executes</h2>${value.owners.length === 0 ? html`<p class="faint">Nobody executes a run now.</p>` : value.owners.map(owner => html`<section class="note"><b>${owner.host}</b> process ${owner.pid} ${owner.command ?? ''}
      <ul>${owner.runs.map(run => html`<li key=${run.run_id}>${runLink(run.run_id)} <span class="faint">${run.workflow}, since <${Time} of=${run.since} />, token ${run.token}</span></li>`)}</ul></section>`)}
    ${value.dead_letters.length ? html`<h2>Dead letters</h2><${RunTable} items=${value.dead_letters} />` : null}`}<//>`;
}

export function Schedules({ info }) {
  const [value, problem, reload] = useLive('/schedules');
  const [failed, setFailed] = useState(null);
  const act = async (name, verb) => {
    try { const made = await ask(`/schedules/${at([name])}/${verb}`, {}); setFailed(null); if (verb === 'trigger') open(to(['run', made.run_id])); } catch (error) { setFailed(error); }
    reload();
  };
  return html`<h1>Schedules</h1><${Trouble} problem=${failed} /><${Loaded} value=${value} problem=${problem}>${() => value.items.length === 0 ? html`<${Nothing} title="No schedules.">Make one with <code>pawl schedule add</code>.<//>` : html`<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Schedule</th><th scope="col">When</th><th scope="col">Next</th><th scope="col">Last</th><th scope="col"></th></tr></thead>
    <tbody>${value.items.map(item => html`<tr key=${item.name}><td>${item.name}${item.is_paused ? html` <${State} of="paused" />` : null}</td><td><code>${item.cron}</code> ${item.zone}</td><td>${item.is_paused ? '' : new Date(item.next).toLocaleString()}</td>
      <td>${item.last_run ? runLink(item.last_run.run_id) : ''}</td>
      <td>${info?.read_only ? null : html`<div class="bar"><button onClick=${() => act(item.name, item.is_paused ? 'resume' : 'pause')}>${item.is_paused ? 'Go on' : 'Pause'}</button><button onClick=${() => act(item.name, 'trigger')}>Run now</button></div>`}</td></tr>`)}</tbody></table></div>`}<//>`;
}

export function Storage({ query, info }) {
  const asked = { days: '30', keep: '', workflow: '', ...Object.fromEntries(query) }, { keep, workflow } = asked, days = asked.days === 'any' ? '' : asked.days;
  const set = what => settle(to(['storage'], { ...asked, ...what }));
  const [preview, setPreview] = useState(null);
  const [problem, setProblem] = useState(null);
  const [sure, setSure] = useState(false);
  const [gone, setGone] = useState(null);
  const body = dry => ({ older_than_days: days === '' ? null : Number(days), keep_last: Number(keep), ...(workflow.trim() ? { workflow: workflow.trim() } : {}), dry_run: dry });
  const look = async event => {
    event.preventDefault();
    try { setPreview(await ask('/prune', body(true))); setProblem(null); } catch (error) { setProblem(error); }
  };
  return html`<h1>Storage</h1>
    <dl class="facts"><div><dt>Store</dt><dd class="path">${info?.store}</dd></div><div><dt>Keeps through</dt><dd>${info ? { power: 'a loss of power', process: 'a killed process', none: 'nothing: memory only' }[info.durability] : ''}</dd></div>${info?.remark ? html`<div><dt>Remark</dt><dd>${info.remark}</dd></div>` : null}</dl>
    ${info?.read_only ? null : html`<h2>Remove finished runs</h2><p class="faint">What can still be resumed always stays.</p>
      <form class="bar" onSubmit=${look}><label>Older than days <input type="number" min="0" step="any" value=${days} onInput=${event => set({ days: event.target.value || 'any' })} /></label>
        <label>Keep of each workflow <input type="number" min="0" value=${keep} placeholder="0" onInput=${event => set({ keep: event.target.value })} /></label>
        <label>Of the workflow <input value=${workflow} placeholder="any" autocomplete="off" onInput=${event => set({ workflow: event.target.value })} /></label><button>Show what would go</button></form>
      <${Trouble} problem=${problem} />
      ${preview ? preview.items.length === 0 ? html`<${Nothing} title="Nothing would go." />` : html`<p>${preview.items.length} runs would go.</p><${RunTable} items=${preview.items.slice(0, 200)} /><div class="bar"><button class="danger" onClick=${() => setSure(true)}>Remove ${preview.items.length} runs …</button></div>` : null}`}
    ${sure ? html`<${Ask} title="Remove ${preview.items.length} runs for good?" say="Remove" danger act=${() => ask('/prune', body(false))} close=${() => setSure(false)} done=${result => { setPreview(null); setGone(result); }}><p>Their journals cannot be had back. Who asked is kept, as a run of its own.</p><//>` : null}
    ${gone ? html`<div class="note" role="status">${gone.items.length} runs are removed. ${gone.record ? html`${runLink(gone.record)} keeps who asked for it.` : null}</div>` : null}`;
}
