import { html, useState } from './vendor/preact-htm.js';
import { ask, kept, at, to, open, settle, runLink, useLive, Loaded, Nothing, State, Time, Text, Ask, Trouble, stateOf, duration } from './lib.js';
import { Editor, parse } from './editor.js';
import { RunTable } from './runs.js';

export function Approvals({ info }) {
  const [value, problem, reload] = useLive('/approvals');
  const [older, setOlder] = useState({ items: [], next: undefined, problem: null });
  const [asked, setAsked] = useState(null);
  const next = older.next === undefined ? value?.next : older.next;
  const load = async () => {
    try {
      const page = await ask(`/approvals?behind=${encodeURIComponent(next)}`);
      setOlder({ items: [...older.items, ...page.items], next: page.next ?? null, problem: null });
    } catch (error) {
      setOlder({ ...older, problem: error });
    }
  };
  const name = item => `${item.run_id}/${item.step}`;
  const items = value ? [...value.items, ...older.items.filter(item => !value.items.some(one => name(one) === name(item)))] : [];
  return html`<h1>Approvals</h1><${Loaded} value=${value} problem=${problem}>${() => html`${items.length === 0 ? html`<${Nothing} title=${next ? 'None of the newest runs waits for a decision.' : 'Nobody waits for a decision.'}>${next ? null : 'What a run asks of people appears here by itself.'}<//>` : items.map(item => html`
    <section class="note careful" key=${name(item)}>
      <b>${item.message}</b>
      <div class="faint"><a href=${to(['workflow', item.workflow])}>${item.workflow}</a> · ${runLink(item.run_id)} · step <span class="path">${item.step}</span> · asked <${Time} of=${item.since} />${item.due ? html` · answer until ${new Date(item.due).toLocaleString()}` : ''}</div>
      <${About} item=${item} />
      ${info?.read_only ? null : html`<div class="bar"><button class="main" onClick=${() => setAsked({ item, approve: true })}>Approve …</button><button class="danger" onClick=${() => setAsked({ item, approve: false })}>Reject …</button></div>`}
    </section>`)}${next ? html`<div class="bar"><button onClick=${load}>Look among older runs</button></div><${Trouble} problem=${older.problem} />` : null}`}<//>
    ${asked ? html`<${Decide} ...${asked} close=${() => setAsked(null)} done=${result => { setOlder({ ...older, items: older.items.filter(item => name(item) !== name(asked.item)) }); reload(result); }} />` : null}`;
}

/** What one should know before one decides; asked for when it is opened. */
function About({ item }) {
  const [isOpen, setOpen] = useState(false);
  return html`<details onToggle=${event => setOpen(event.currentTarget.open)}><summary>What it is about</summary>${isOpen ? html`<${Context} item=${item} />` : null}</details>`;
}

function Context({ item }) {
  const [value, problem] = useLive(`/runs/${at([item.run_id])}/context?step=${encodeURIComponent(item.step)}`, null);
  return html`<${Loaded} value=${value} problem=${problem}>${() => html`
    ${Object.keys(value.params).length ? html`<dl class="facts">${Object.entries(value.params).map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd class="path">${text}</dd></div>`)}</dl>` : html`<p class="faint">The run has no params.</p>`}
    ${value.steps.map(step => html`<div key=${step.path}><a class="path" href=${to(['run', item.run_id, 'steps'], { step: step.path })}>${step.path}</a> <${State} of=${step.status} />
      ${step.output ? html`<${Text} value=${step.output} />` : null}${step.said ? html`<${Text} value=${step.said} />` : null}</div>`)}
    ${value.more ? html`<p class="faint">and ${value.more} more steps</p>` : null}`}<//>`;
}

export function Decide({ item, approve, close, done }) {
  const [reason, setReason] = useState('');
  const [changes, setChanges] = useState('');
  return html`<${Ask} title=${approve ? 'Approve' : 'Reject'} say=${approve ? 'Approve' : 'Reject'} danger=${!approve} close=${close} done=${done}
    act=${before => ask(`/runs/${at([item.run_id])}/decide`, { step: item.step, approve, reason: reason || null, changes: approve ? parse(changes, 'The changes') : null }).then(answer => kept(answer, before))}>
    <p>${item.message}</p><p class="faint">${item.run_id} · ${item.step}. The first decision counts; it is kept with your name.</p>
    <label>Reason<input value=${reason} onInput=${event => setReason(event.target.value)} /></label>
    ${approve ? html`<${Editor} label="Changes, as JSON (none: as asked)" kind="object" text=${changes} change=${setChanges} />` : null}
  <//>`;
}

export function Workflows({ info }) {
  const [value, problem] = useLive('/workflows');
  const [known] = useLive('/definitions', null);
  const fresh = known && value ? known.items.filter(one => one.name && !value.items.some(item => item.name === one.name) && !known.items.some(other => other.name === one.name && other.version > one.version)) : [], startable = new Set(known?.items.map(one => one.name));
  const start = name => !info?.read_only && startable.has(name) ? html`<a class="button small" href=${to(['start'], { workflow: name })}>Start …</a>` : null;
  return html`<h1>Workflows</h1>
    ${known?.items.filter(one => one.problem).map(one => html`<div class="note bad" key=${one.path}><b class="path">${one.path}</b> cannot be used: ${one.problem}</div>`)}
    <${Loaded} value=${value} problem=${problem}>${() => value.items.length + fresh.length === 0 ? html`<${Nothing} title="No workflows yet.">They appear with their first run. Name files to <code>pawl ui FILE</code> to start them from here.<//>` : html`${value.is_cut ? html`<p class="faint">Counted are the newest ${value.at_most.toLocaleString()} runs. A workflow that only older ones have is listed when its definition is known here.</p>` : null}<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Workflow</th><th scope="col">Versions</th><th scope="col" class="num">Runs</th><th scope="col" class="num">Success</th><th scope="col" class="num">Half took</th><th scope="col" class="num">95 % took</th><th scope="col">Last</th><th scope="col"><span class="hidden">Start</span></th></tr></thead>
    <tbody>${value.items.map(item => html`<tr key=${item.name}><td><a href=${to(['workflow', item.name])}>${item.name}</a></td><td>${item.versions.join(', ')}</td>
      <td class="num">${item.runs}</td><td class="num">${item.success == null ? '' : `${Math.round(item.success * 100)} %`}</td><td class="num">${duration(item.p50)}</td><td class="num">${duration(item.p95)}</td>
      <td><${State} of=${stateOf(item.last_run)} /> <${Time} of=${item.last_run.updated_at} /></td><td class="fit">${start(item.name)}</td></tr>`)}
      ${fresh.map(one => html`<tr key=${one.name}><td>${one.name}</td><td>${one.version}</td><td class="num">0</td><td></td><td></td><td></td><td class="faint">no runs yet</td><td class="fit">${start(one.name)}</td></tr>`)}</tbody></table></div>`}<//>`;
}

export function Queues() {
  const [value, problem] = useLive('/queues');
  // A number of which only the newest were counted.
  const count = (number, status) => `${number}${value.cut.includes(status) ? '+' : ''}`;
  return html`<h1>Queues and workers</h1><${Loaded} value=${value} problem=${problem}>${() => html`
    ${value.cut.length ? html`<p class="note careful">Of the ${value.cut.join(' and ')} runs the newest ${value.at_most.toLocaleString()} are counted; there are more.</p>` : null}
    <h2>Queues</h2>${value.queues.length === 0 ? html`<p class="faint">Nothing is enqueued.</p>` : html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Queue</th><th scope="col" class="num">In line</th><th scope="col" class="num">Later</th><th scope="col" class="num">Running</th><th scope="col" class="num">Waiting</th><th scope="col" class="num">Dead</th><th scope="col">In line since</th></tr></thead>
      <tbody>${value.queues.map(queue => html`<tr key=${queue.name}><td>${queue.name}</td><td class="num">${count(queue.in_line, 'pending')}</td><td class="num">${count(queue.later, 'pending')}</td><td class="num">${count(queue.running, 'running')}</td><td class="num">${count(queue.waiting, 'waiting')}</td><td class="num">${count(queue.dead, 'failed')}</td><td>${queue.oldest && value.cut.includes('pending') ? 'more than ' : ''}<${Time} of=${queue.oldest} /></td></tr>`)}</tbody></table></div>`}
    <h2>Who executes</h2>${value.owners.length === 0 ? html`<p class="faint">Nobody executes a run now.</p>` : value.owners.map(owner => html`<section class="note"><b>${owner.host}</b> process ${owner.pid} ${owner.command ?? ''}
      <ul>${owner.runs.map(run => html`<li key=${run.run_id}>${runLink(run.run_id)} <span class="faint">${run.workflow}, since <${Time} of=${run.since} />, token ${run.token}</span></li>`)}</ul></section>`)}
    ${value.dead_letters.length ? html`<h2>Dead letters</h2><${RunTable} items=${value.dead_letters} />` : null}`}<//>`;
}

export function Schedules({ info }) {
  const [value, problem, reload] = useLive('/schedules');
  const [sure, setSure] = useState(null);
  const button = (name, verb) => html`<button onClick=${() => setSure({ name, verb })}>${schedule[verb].say} …</button>`;
  return html`<h1>Schedules</h1><${Loaded} value=${value} problem=${problem}>${() => value.items.length === 0 ? html`<${Nothing} title="No schedules.">Make one with <code>pawl schedule add</code>.<//>` : html`<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Schedule</th><th scope="col">When</th><th scope="col">Next</th><th scope="col">Last</th><th scope="col"></th></tr></thead>
    <tbody>${value.items.map(item => html`<tr key=${item.name}><td>${item.name}${item.is_paused ? html` <${State} of="paused" />` : null}</td><td><code>${item.cron}</code> ${item.zone}</td><td>${item.is_paused ? '' : new Date(item.next).toLocaleString()}</td>
      <td>${item.last_run ? runLink(item.last_run.run_id) : ''}</td>
      <td>${info?.read_only ? null : html`<div class="bar">${button(item.name, item.is_paused ? 'resume' : 'pause')}${button(item.name, 'trigger')}</div>`}</td></tr>`)}</tbody></table></div>`}<//>
    ${sure ? html`<${Ask} title=${schedule[sure.verb].title(sure.name)} say=${schedule[sure.verb].say} act=${() => ask(`/schedules/${at([sure.name])}/${sure.verb}`, {})} close=${() => setSure(null)} done=${made => sure.verb === 'trigger' ? open(to(['run', made.run_id])) : reload()}><p>${schedule[sure.verb].text}</p><//>` : null}`;
}

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** 12345678 → 12.3 MB. */
function room(bytes) {
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3)), number = bytes / 1000 ** unit;
  return `${unit && number < 100 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

const schedule = {
  pause: { say: 'Pause', title: name => `Pause the schedule ${name}?`, text: 'It starts no run until it goes on. A run that it has begun goes on.' },
  resume: { say: 'Go on', title: name => `Let the schedule ${name} go on?`, text: 'It starts runs at its times again.' },
  trigger: { say: 'Run now', title: name => `Run ${name} now?`, text: 'A run begins at once, besides those at its times.' },
};

// More rows than anybody reads.
const listed = 200;

export function Storage({ query, info }) {
  const asked = { days: '30', keep: '', workflow: '', ...Object.fromEntries(query) }, { keep, workflow } = asked, days = asked.days === 'any' ? '' : asked.days, fields = query.toString();
  const set = what => settle(to(['storage'], { ...asked, ...what }));
  const [size, noSize] = useLive('/size', null);
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const [sure, setSure] = useState(null);
  const [gone, setGone] = useState(null);
  const policy = { older_than_days: days === '' ? null : Number(days), keep_last: Number(keep), ...(workflow.trim() ? { workflow: workflow.trim() } : {}) };
  // What was found for other fields is no preview of these.
  const preview = found?.fields === fields ? found : null, count = preview?.items.length;
  const look = async event => {
    event.preventDefault();
    try { setFound({ ...await ask('/prune', { ...policy, dry_run: true }), fields }); setProblem(null); } catch (error) { setProblem(error); }
  };
  return html`<h1>Storage</h1>
    <dl class="facts"><div><dt>Store</dt><dd class="path">${info?.store}</dd></div><div><dt>Size</dt><dd>${noSize ? noSize.message : !size ? 'Measuring …' : size.bytes === undefined ? 'not told by this store' : `${room(size.bytes)}: ${size.of}`}</dd></div><div><dt>Keeps through</dt><dd>${info ? { power: 'a loss of power', process: 'a killed process', none: 'nothing: memory only' }[info.durability] : ''}</dd></div>${info?.remark ? html`<div><dt>Remark</dt><dd>${info.remark}</dd></div>` : null}</dl>
    ${info?.read_only ? null : html`<h2>Remove finished runs</h2><p class="faint">What can still be resumed always stays.</p>
      <form class="bar" onSubmit=${look}><label>Older than days <input type="number" min="0" step="any" value=${days} onInput=${event => set({ days: event.target.value || 'any' })} /></label>
        <label>Keep of each workflow <input type="number" min="0" value=${keep} placeholder="0" onInput=${event => set({ keep: event.target.value })} /></label>
        <label>Of the workflow <input value=${workflow} placeholder="any" autocomplete="off" onInput=${event => set({ workflow: event.target.value })} /></label><button>Show what would go</button></form>
      <${Trouble} problem=${problem} />
      ${preview ? count === 0 ? html`<${Nothing} title="Nothing would go." />` : html`<p>${count} ${count === 1 ? 'run' : 'runs'} would go${count > listed ? `; the newest ${listed} are listed` : ''}.</p><${RunTable} items=${preview.items.slice(0, listed)} /><div class="bar"><button class="danger" onClick=${() => setSure(preview)}>Remove ${count} ${count === 1 ? 'run' : 'runs'} …</button></div>` : null}`}
    ${sure ? html`<${Ask} title="Remove ${sure.items.length} ${sure.items.length === 1 ? 'run' : 'runs'} for good?" say="Remove" danger act=${() => ask('/prune', { ...policy, runs: sure.items.map(head => head.run_id), dry_run: false })} close=${() => setSure(null)} done=${({ items, record }) => { setFound(null); setGone({ count: items.length, stay: sure.items.length - items.length, record }); }}><p>Their journals cannot be had back. Who asked is kept, as a run of its own.</p><//>` : null}
    ${gone ? html`<div class="note" role="status">${gone.count} ${gone.count === 1 ? 'run is' : 'runs are'} removed. ${gone.stay ? `${gone.stay} of those that were shown stay: they changed meanwhile, or could not be removed. ` : ''}${gone.record ? html`${runLink(gone.record)} keeps who asked for it.` : null}</div>` : null}`;
}
