import { html, useState, useEffect, useMemo, useRef } from './vendor/preact-htm.js';
import { api, ask, kept, at, to, settle, runLink, useLive, useClock, Loaded, Nothing, State, Time, Took, Text, Ask, Trouble, Problem, stateOf, duration, money, number } from './lib.js';
import { Decide } from './lists.js';
import { Graph, took, tries, stateOfStep } from './graph.js';
import { History, useSettled } from './history.js';
import { growing, top } from './steps.js';
import { Table } from './virtual.js';
import { Editor, parse, read } from './editor.js';
import { Fork } from './fork.js';
import { Compare, Difference, Lines } from './compare.js';
import { RunAudit } from './audit.js';
import { useLiveOutput, useUnderWay, Now, Said } from './live.js';

const tabs = [['steps', 'Steps'], ['timeline', 'Timeline'], ['checkpoints', 'Checkpoints'], ['plan', 'What a resume does'], ['compare', 'Compare'], ['costs', 'Costs'], ['definition', 'Definition'], ['audit', 'Who did what']];

export function Run({ id, tab = 'steps', query, info }) {
  const [value, problem, reload] = useLive(`/runs/${at([id])}`, `/runs/${at([id])}/events`, growing);
  const [dialog, setDialog] = useState(null);
  const [asked, setAsked] = useState(null);
  const said = useLiveOutput(id, value?.can_watch === true);
  const steps = useUnderWay(value, said);
  const go = name => { location.hash = `/run/${encodeURIComponent(id)}/${name}`; };
  const keys = event => {
    const index = tabs.findIndex(([name]) => name === tab), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length][0];
    go(next);
    document.getElementById(`tab-${next}`).focus();
    event.preventDefault();
  };
  if (problem?.status === 404) return html`<h1 class="path">${id}</h1><${Nothing} title=${value ? 'This run was removed.' : problem.message}><a href="#/runs">To the runs</a><//>`;
  return html`<${Loaded} value=${value} problem=${problem}>${() => {
    const { head } = value, state = stateOf(head), parts = { id, value: { ...value, steps }, head, query, info, said, setDialog, setAsked, reload };
    return html`
      <div class="head"><h1 class="path">${id}</h1><${State} of=${state} /><progress class="done" max=${Math.max(1, head.total)} value=${head.done} aria-label="Steps that are done"></progress><span class="faint">${head.done} of ${head.total} steps</span></div>
      <dl class="facts">
        <div><dt>Workflow</dt><dd><a href=${to(['workflow', head.workflow])}>${head.workflow}</a>, version ${head.version}</dd></div>
        <div><dt>Started by</dt><dd>${value.by ?? 'not told'}, <${Time} of=${head.created_at} /></dd></div>
        <div><dt>Took</dt><dd>${head.started_at ? html`<${Took} of=${head} />` : 'has not begun'}</dd></div>
        <div><dt>Executed by</dt><dd>${head.owner ? html`${head.owner.command ?? 'a program'}, process ${head.owner.pid} on ${head.owner.host}` : 'nobody now'}</dd></div>
        <div><dt>Lease</dt><dd>${head.owner ? html`token ${head.token}, held since <${Time} of=${head.owner.since} />${info?.lease ? `, renewed within ${duration(info.lease)}` : ''}` : `free; the last token was ${head.token}`}</dd></div>
        <div><dt>Passes</dt><dd>${value.passes}${head.recoveries ? `, ${head.recoveries} of the last ended with their process` : ''}</dd></div>
        ${head.queue ? html`<div><dt>Queue</dt><dd><a href="#/queues">${head.queue}</a>${head.priority ? `, priority ${head.priority}` : ''}${head.wake_at && !head.owner ? html`, due <${Time} of=${head.wake_at} />` : ''}</dd></div>` : null}
        ${head.parent_run_id ? html`<div><dt>Child of</dt><dd>${runLink(head.parent_run_id)}</dd></div>` : null}
        ${head.tags.forked_from ? html`<div><dt>Forked from</dt><dd>${runLink(head.tags.forked_from)} at <a href=${to(['run', head.tags.forked_from, 'checkpoints'], { seq: head.tags.forked_at })}>${head.tags.forked_at}</a></dd></div>` : null}
        ${head.tags.rerun_of ? html`<div><dt>Repeats</dt><dd>${runLink(head.tags.rerun_of)}</dd></div>` : null}
        ${value.children.length ? html`<div><dt>Child runs</dt><dd><${Some} ids=${value.children.map(child => child.run_id)} most=${20} all=${{ text: `${id}.` }} /></dd></div>` : null}
        ${value.forks.length ? html`<div><dt>Forks</dt><dd><${Some} ids=${value.forks} most=${value.at_most} all=${{ where: `forked_from=${id}` }} /></dd></div>` : null}
        ${value.reruns.length ? html`<div><dt>Repeated by</dt><dd><${Some} ids=${value.reruns} most=${value.at_most} all=${{ where: `rerun_of=${id}` }} /></dd></div>` : null}
        ${Object.entries({ ...head.tags, ...head.partition }).filter(([key]) => !key.startsWith('forked_') && key !== 'rerun_of').map(([key, text]) => html`<div><dt>${key}</dt><dd><a href=${to(['runs'], { where: `${key}=${text}` })}>${text}</a></dd></div>`)}
      </dl>
      ${state === 'died' ? html`<div class="note careful"><b>The process that executed this run died.</b> What is done is kept; a resume goes on behind it.</div>` : null}
      ${head.dead_letter ? html`<div class="note bad"><b>It is a dead letter.</b> It ended its workers again and again; none takes it until it is put back into its queue.</div>` : null}
      ${head.error && head.status === 'failed' ? html`<div class="note bad"><b>${head.error_step ? html`Step <a class="path" href=${to(['run', id, 'steps'], { step: head.error_step })}>${head.error_step}</a> failed:` : 'It failed:'}</b><${Why} error=${head.error} step=${value.steps.find(step => step.path === head.error_step)} /></div>` : head.error ? html`<div class="note careful">It is ${head.status}: ${head.error.slice(0, 500)}</div>` : null}
      ${head.waits.map(wait => html`<div class="note careful" key=${wait.path}>Waits at <span class="path">${wait.path}</span> for ${wait.message ? html`a decision: <b>${wait.message}</b>` : wait.is_child_run ? html`the end of its child run <${ChildLink} of=${value} step=${wait.path} />` : wait.signal ? html`the signal <code>${wait.signal}</code>` : 'its time'}${wait.due ? `, until ${new Date(wait.due).toLocaleString()}` : ''}.
        ${info?.read_only ? null : wait.message ? html`<div class="bar"><button class="main" onClick=${() => setDialog(html`<${Decide} item=${{ run_id: id, step: wait.path, message: wait.message }} approve=${true} close=${() => setDialog(null)} />`)}>Approve …</button>
          <button class="danger" onClick=${() => setDialog(html`<${Decide} item=${{ run_id: id, step: wait.path, message: wait.message }} approve=${false} close=${() => setDialog(null)} />`)}>Reject …</button></div>`
          : wait.signal && !wait.is_child_run ? html`<div class="bar"><button onClick=${() => setDialog(html`<${Signal} id=${id} name=${wait.signal} close=${() => setDialog(null)} />`)}>Send the signal …</button></div>` : null}</div>`)}
      ${asked && head.owner && head.token === asked.token ? html`<div class="note careful" role="status">It is asked to ${asked.verb}, and stops as soon as its steps allow.</div>` : null}
      <${Actions} ...${parts} />
      <div role="tablist" aria-label="Views of the run" onKeyDown=${keys}>${tabs.map(([name, title]) => html`<button role="tab" id="tab-${name}" aria-selected=${name === tab} aria-controls="view" tabindex=${name === tab ? 0 : -1} onClick=${() => go(name)}>${title}</button>`)}</div>
      <div role="tabpanel" id="view" aria-labelledby="tab-${tab}">
        ${tab === 'timeline' ? html`<${Timeline} ...${parts} />` : tab === 'checkpoints' ? html`<${Checkpoints} ...${parts} />` : tab === 'plan' ? html`<${Plan} ...${parts} />`
          : tab === 'compare' ? html`<${Compare} ...${parts} />` : tab === 'audit' ? html`<${RunAudit} ...${parts} />` : tab === 'costs' ? html`<${Costs} ...${parts} />` : tab === 'definition' ? html`<${Definition} ...${parts} />` : html`<${Steps} ...${parts} />`}
      </div>`;
  }}<//>${dialog}`;
}

/** Runs that come of this one; when they are more, a list of all. */
const Some = ({ ids, most, all }) => html`${ids.slice(0, most).map(id => html`${runLink(id)} `)}${ids.length >= most ? html`<a href=${to(['runs'], all)}>all of them</a>` : null}`;

function ChildLink({ of, step }) {
  const child = of.children.find(child => child.step === step);
  return child ? runLink(child.run_id) : null;
}

// What a shell said last tells most; where a program was is for who looks for it.
const Why = ({ error, step }) => step?.error?.detail && step.kind === 'shell' ? html`<${Text} value=${`${error}\n\n${step.error.detail}`} />`
  : html`<${Text} value=${error} />${step?.error?.detail ? html`<details><summary>Where</summary><${Text} value=${step.error.detail} /></details>` : null}`;

const Export = ({ id }) => html`<details class="menu"><summary class="button">Export</summary><div>${[['journal', 'Journal (JSON lines)'], ['snapshot', 'Snapshot (JSON)'], ['outputs', 'Outputs (JSON)'], ['log', 'Log (text)']].map(([what, title]) => html`<a href=${`${api}/runs/${at([id])}/export?what=${what}`} download>${title}</a>`)}</div></details>`;

function Actions({ id, value, head, info, setDialog, setAsked, reload }) {
  if (info?.read_only) return html`<div class="bar"><${Export} id=${id} /></div>`;
  const close = () => setDialog(null), open = run => { location.hash = `/run/${encodeURIComponent(run.run_id)}`; };
  const reached = { pause: 'paused', cancel: 'canceled' };
  const sure = (title, verb, say, text, danger) => setDialog(html`<${Ask} title=${title} say=${say} danger=${danger} act=${() => ask(`/runs/${at([id])}/${verb}`, {})} close=${close} done=${verb === 'delete' ? () => { location.hash = '/runs'; } : after => { setAsked(verb in reached && after.status !== reached[verb] ? { verb, token: after.token } : null); reload(); }}><p>${text}</p><//>`);
  const final = head.status === 'completed' || head.status === 'canceled';
  return html`<div class="bar" role="group" aria-label="Actions">
    ${value.can_resume && head.status !== 'waiting' ? html`<button class="main" onClick=${() => { location.hash = `/run/${encodeURIComponent(id)}/plan`; }}>Resume …</button>` : null}
    ${head.owner && !final ? html`<button onClick=${() => sure('Pause this run?', 'pause', 'Pause', 'Steps that run now end first; nothing new starts. It can be resumed.')}>Pause …</button>` : null}
    ${!final ? html`<button class="danger" onClick=${() => sure('Cancel this run?', 'cancel', 'Cancel the run', 'Steps that run now are stopped. A canceled run stays canceled.', true)}>Cancel …</button>` : null}
    ${value.can_execute ? html`<button onClick=${() => setDialog(html`<${Again} id=${id} close=${close} done=${open} />`)}>Run again …</button><a class="button" href=${to(['start'], { like: id })}>Start another …</a>` : null}
    <button onClick=${() => setDialog(html`<${Fork} id=${id} seq=${head.seq} last=${head.seq} canRun=${value.can_execute} close=${close} done=${open} />`)}>Fork …</button>
    ${!final ? html`<button onClick=${() => setDialog(html`<${Signal} id=${id} close=${close} />`)}>Signal …</button>` : null}
    ${head.queue && !head.owner && ['failed', 'paused', 'waiting', 'running'].includes(head.status) ? html`<button class=${head.dead_letter ? 'main' : ''} onClick=${() => sure('Put it back into its queue?', 'requeue', 'Put back', `A worker of the queue ${head.queue} goes on with it. Finished steps are reused.`)}>Requeue …</button>` : null}
    <${Export} id=${id} />
    ${!head.owner ? html`<button class="danger" onClick=${() => sure('Remove this run for good?', 'delete', 'Remove', 'Its journal and outputs cannot be had back.', true)}>Remove …</button>` : null}
  </div>`;
}

function Signal({ id, name, close }) {
  const [other, setOther] = useState('');
  const [body, setBody] = useState('');
  return html`<${Ask} title=${name ? `Send the signal ${name}` : 'Send a signal'} say="Send" ready=${(name ?? other.trim()) !== '' && !read(body).problem} close=${close} act=${before => ask(`/runs/${at([id])}/signal`, { name: name ?? other.trim(), body: parse(body, 'The body', null) }).then(answer => kept(answer, before))}>
    <p class="faint">It is kept, and wakes the run if it waits for it. The first one to a name counts.</p>
    ${name ? null : html`<label>Name <input value=${other} autocomplete="off" onInput=${event => setOther(event.target.value)} /></label>`}
    <${Editor} label="Body, as JSON (none: empty)" text=${body} change=${setBody} /><//>`;
}

function Again({ id, close, done }) {
  const [text, setText] = useState('');
  return html`<${Ask} title="Run again with the same params" say="Run" close=${close} done=${done} act=${() => ask(`/runs/${at([id])}/rerun`, { params: parse(text, 'The params') })}>
    <${Editor} label="Params to change, as JSON" kind="object" text=${text} change=${setText} placeholder='{ "name": "value" }' /><//>`;
}

function Steps({ id, value, query, said }) {
  const open = query.get('step'), text = query.get('filter') ?? '', opened = query.getAll('opened');
  const place = what => to(['run', id, 'steps'], { step: open, filter: text, opened, ...what });
  const pick = path => { location.hash = place({ step: path }).slice(1); };
  const steps = text ? value.steps.filter(step => step.path.toLowerCase().includes(text.toLowerCase()) || stateOfStep(step) === text) : value.steps;
  const chosen = open && value.steps.find(step => step.path === open);
  return html`<${Now} said=${said} pick=${pick} but=${open} /><${Graph} steps=${value.steps} passes=${value.passes} open=${pick} opened=${opened} setOpened=${opened => settle(place({ opened, seq: query.get('seq') }))} />
    ${chosen ? html`<${StepView} key=${chosen.path} id=${id} of=${value} step=${chosen} said=${said?.get(chosen.path)} asked=${Number(query.get('seq'))} pick=${seq => settle(place({ seq }))} close=${() => settle(place({ step: null }))} />` : open ? html`<p class="note">There is no step <span class="path">${open}</span>.</p>` : null}
    <div class="bar"><input type="search" aria-label="Filter the steps" placeholder="filter: path or state" value=${text} onInput=${event => settle(place({ filter: event.target.value, seq: query.get('seq') }))} /> <span class="faint" role="status">${steps.length} steps</span></div>
    <${Table} label="Steps" columns=${stepColumns} items=${steps} id=${step => step.path} row=${step => html`<td><a class="path" href=${place({ step: step.path })}>${step.path}</a> <span class="faint">${step.title ?? step.kind}</span></td>
      <td><${State} of=${stateOfStep(step)} /></td><td class="num">${tries(step).length || ''}</td><td class="num">${tries(step).length ? duration(took(step)) : ''}</td><td class="wide why">${step.error?.message?.slice(0, 200) ?? step.reason?.slice(0, 200) ?? ''}</td>`} />`;
}

const stepColumns = [['Step', ''], ['State', 'col-state'], ['Attempts', 'col-short num'], ['Took', 'col-short num'], ['Why', 'wide why']];

function StepView({ id, of, step, said, asked, pick, close }) {
  // While nothing was picked, the newest: it may have ended since.
  const seq = step.attempts.find(attempt => attempt.seq === asked)?.seq ?? step.seq ?? step.attempts.at(-1)?.seq ?? null;
  return html`<section class="note step"><div class="bar"><b class="path">${step.path}</b><${State} of=${stateOfStep(step)} />${step.reused.length ? html`<span class="faint">reused in pass ${step.reused.join(', ')}</span>` : null}<button onClick=${close}>Close</button></div>
    ${step.reason ? html`<p>${step.reason}</p>` : null}${of.children.some(child => child.step === step.path) ? html`<p>Its child run: <${ChildLink} of=${of} step=${step.path} /></p>` : null}
    ${step.attempts.length > 1 ? html`<div class="bar" role="group" aria-label="Attempts">${step.attempts.map(attempt => html`<button aria-pressed=${attempt.seq === seq} onClick=${() => pick(attempt.seq)}>attempt ${attempt.attempt}: ${attempt.status}</button>`)}</div>` : null}
    ${said?.isRunning ? html`<h2>Output so far</h2><${Said} said=${said} />${said.lines.length ? null : html`<p class="faint">It has said nothing yet.</p>`}` : null}
    ${seq ? html`<${CheckpointView} key=${seq} id=${id} seq=${seq} />` : said?.isRunning ? null : html`<p class="faint">It has no checkpoint yet.</p>`}</section>`;
}

function CheckpointView({ id, seq }) {
  const [value, problem] = useLive(`/runs/${at([id])}/checkpoints/${seq}`, null);
  const [log, setLog] = useState(null);
  useEffect(() => {
    if (value?.has_log) ask(`/runs/${at([id])}/checkpoints/${seq}/log`).then(setLog, setLog);
  }, [value]);
  return html`<${Loaded} value=${value} problem=${problem}>${() => {
    const { checkpoint, output } = value, block = (title, part) => part == null ? null : html`<h2>${title}</h2><${Text} value=${part} />`;
    return html`${checkpoint.error ? html`<h2>Error</h2><${Text} value=${checkpoint.error.message} />` : null}
      ${block('Output', output)}${log instanceof Problem ? html`<${Trouble} problem=${log} />` : value.has_log && log === null ? html`<p class="empty loading" role="status">Loading …</p>` : block('Log', log)}${block('Inputs', checkpoint.inputs)}${block('State changed', checkpoint.state)}${block('Metrics', checkpoint.metrics)}
      <details><summary>The record, number ${seq}</summary><${Text} value=${checkpoint} /></details>`;
  }}<//>`;
}

function Timeline({ id, value, head }) {
  const ended = useMemo(() => value.steps.flatMap(step => tries(step).map(attempt => ({ ...attempt, path: step.path, end: Date.parse(attempt.ended), begin: Date.parse(attempt.ended) - attempt.duration }))), [value.steps]);
  const begun = useMemo(() => underWay(value.steps, head), [value.steps, head]);
  const now = useClock(() => begun.length ? Date.now() : 0);
  const bars = useMemo(() => [...ended, ...begun.map(bar => ({ ...bar, end: Math.max(now, bar.begin), duration: Math.max(0, now - bar.begin) }))].sort((a, b) => a.begin - b.begin), [ended, begun, now]);
  if (bars.length === 0) return html`<${Nothing} title="No attempt has begun yet." />`;
  const begin = bars[0].begin, span = Math.max(1, bars.reduce((last, bar) => Math.max(last, bar.end), begin) - begin);
  return html`<p class="faint">${duration(span)} from the first attempt to the last, waits and pauses included.</p>
    <${Table} label="Attempts" columns=${barColumns} items=${bars} id=${bar => bar.seq ?? bar.path} row=${bar => html`<td><a class="path" href=${to(['run', id, 'steps'], { step: bar.path, seq: bar.seq })}>${bar.path}</a>${bar.attempt > 1 ? ` (${bar.attempt})` : ''}</td>
      <td><svg class="lane ${bar.status}" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label=${`${bar.status}, begun ${duration(bar.begin - begin)} after the first`}><rect x=${(bar.begin - begin) / span * 1000} y="4" height="12" width=${Math.max(2, bar.duration / span * 1000)} /></svg></td>
      <td class="num">${duration(bar.duration)}</td>`} />`;
}

// The journal tells of an attempt when it has ended. One that runs began at the earliest when all before it, the attempts before and the pass let it.
function underWay(steps, head) {
  const running = head.owner ? steps.filter(step => step.status === 'running' || step.status === 'ready') : [], byPath = new Map(running.length ? steps.map(step => [step.path, step]) : []);
  const end = step => step?.attempts.length ? Date.parse(step.attempts.at(-1).ended) : 0;
  return running.map(step => ({ path: step.path, status: 'running', attempt: (step.attempts.at(-1)?.attempt ?? 0) + 1, begin: Math.max(Date.parse(head.owner.since), end(step), ...step.needs.map(need => end(byPath.get(need)))) }));
}

const barColumns = [['Attempt', 'col-path'], ['When', 'col-lane'], ['Took', 'col-short num']];

function Checkpoints({ id, head, value, query, info, setDialog }) {
  const asked = Number(query.get('seq')), seq = asked >= 1 && asked <= head.seq ? asked : head.seq, other = query.get('with') ?? '';
  const setSeq = seq => settle(to(['run', id, 'checkpoints'], { seq, with: other })), setOther = other => settle(to(['run', id, 'checkpoints'], { seq, with: other }));
  const shown = useSettled(seq);
  const open = run => { location.hash = `/run/${encodeURIComponent(run.run_id)}`; };
  return html`<div class="bar"><label>Checkpoint <input type="range" min="1" max=${head.seq} value=${seq} onInput=${event => setSeq(Number(event.target.value))} aria-valuetext=${`${seq} of ${head.seq}`} /> <output>${seq} of ${head.seq}</output></label>
      <label>Compare with <input type="number" min="1" max=${head.seq} value=${other} placeholder="number" onInput=${event => setOther(event.target.value)} /></label>
      ${info?.read_only ? null : html`<button onClick=${() => setDialog(html`<${Fork} id=${id} seq=${seq} last=${head.seq} canRun=${value.can_execute} close=${() => setDialog(null)} done=${open} />`)}>Fork from ${seq} …</button>`}</div>
    ${other ? html`<${Difference} key=${`${other}.${shown}`} id=${id} left=${Number(other)} right=${shown} />` : html`<${CheckpointView} key=${shown} id=${id} seq=${shown} /><${SnapshotView} key=${`s${shown}`} id=${id} seq=${shown} />`}
    <h2>All checkpoints</h2><${History} id=${id} last=${head.seq} compare=${seq => setOther(String(seq))} />`;
}

function SnapshotView({ id, seq }) {
  const [value, problem] = useLive(`/runs/${at([id])}/snapshot?seq=${seq}`, null);
  return html`<h2>The run at this checkpoint</h2><${Loaded} value=${value} problem=${problem}>${() => ['params', 'state', 'outputs'].map(part => Object.keys(value[part]).length === 0 ? null
    : html`<details open=${part !== 'outputs'}><summary>${part}</summary><${Text} value=${value[part]} /></details>`)}<//>`;
}

const planColumns = [['Step', ''], ['Decision', 'col-state'], ['Saves', 'col-short'], ['Why', '']];

const decisions = { reuse: 'reuse', run: 'run', rerun: 'run again', skip: 'skip', wait: 'wait', left_out: 'leave out' };

function Plan({ id, value, query: place, info }) {
  const asked = { from: place.get('from') ?? '', until: place.get('until') ?? '', all: place.get('all') === 'true', rerun: place.get('rerun') === 'true', force: place.get('force') === 'true' };
  const setAsked = asked => settle(to(['run', id, 'plan'], asked));
  const [text, setText] = useState('');
  const [params, setParams] = useState(null);
  const [sure, setSure] = useState(false);
  const resume = { from: asked.from || null, until: asked.until || null, all: asked.all, rerun_changed: asked.rerun, force: asked.force, params };
  const query = new URLSearchParams(Object.entries(resume).filter(([name, value]) => value && name !== 'params'));
  const steps = top(value.steps);
  // Values may be secret: an address is kept by browsers and servers.
  const [plan, trouble] = useLive(`/runs/${at([id])}/plan${params ? '' : `?${query}`}`, `/runs/${at([id])}/events`, undefined, params ? resume : undefined);
  // A plan of all does not tell it, nor one that is on its way.
  const isPart = useRef(false);
  if (plan?.select) isPart.current = true;
  // Only what can be read is planned with.
  const write = text => { setText(text); const { value, problem } = read(text, 'object'); if (!problem) setParams(value ?? null); };
  return html`
    <div class="bar"><${StepField} label="From step" none="the first that is not done" steps=${steps} value=${asked.from} change=${from => setAsked({ ...asked, from })} />
      <${StepField} label="Until step" none="the end, or where it was asked to end" steps=${steps} value=${asked.until} change=${until => setAsked({ ...asked, until, all: false })} />
      ${asked.all || isPart.current ? html`<label><input type="checkbox" checked=${asked.all} onChange=${event => setAsked({ ...asked, all: event.target.checked, until: '' })} /> also what it was asked to leave out</label>` : null}
      <label><input type="checkbox" checked=${asked.rerun} onChange=${event => setAsked({ ...asked, rerun: event.target.checked })} /> run again what was edited</label>
      <label><input type="checkbox" checked=${asked.force} onChange=${event => setAsked({ ...asked, force: event.target.checked })} /> also if canceled</label></div>
    <details><summary>Params to change</summary><${Editor} label="Params to change, as JSON" kind="object" text=${text} change=${write} placeholder='{ "name": "value" }' /></details>
    <${Loaded} value=${plan} problem=${trouble}>${() => html`
      ${plan.refusals.map(refusal => html`<div class="note bad"><b>${refusal.message}</b><div>${refusal.hint}</div></div>`)}
      ${plan.warnings.map(warning => html`<div class="note careful">${warning}</div>`)}
      ${plan.surroundings.map(fact => html`<p><b>${fact.fact.replaceAll('_', ' ')}</b> changed: ${fact.before ?? '(not told)'} → ${fact.now ?? '(not told)'}</p>`)}
      <p>Reuses ${plan.steps.filter(step => step.decision === 'reuse').length} of ${plan.steps.length} steps and saves ${duration(plan.saves.duration)}${money(plan.saves) ? `, ${money(plan.saves)}` : ''}.</p>
      ${info?.read_only || plan.refusals.length ? null : html`<button class="main" onClick=${() => setSure(true)}>Resume as shown …</button>`}
      <${Table} label="Decisions" columns=${planColumns} items=${plan.steps} id=${step => step.path} row=${step => html`<td class="path">${step.path}</td>
        <td class="state ${step.decision === 'skip' ? 'skip-step' : step.decision}">${decisions[step.decision]}</td><td>${step.decision === 'reuse' ? [duration(step.saves.duration), money(step.saves)].filter(Boolean).join(', ') : ''}</td><td>${step.reason}</td>`} />
      ${plan.definition.length ? html`<h2>The definition since the last pass</h2><${Lines} lines=${plan.definition} />` : null}`}<//>
    ${sure && plan ? html`<${Ask} title="Resume this run?" say="Resume" close=${() => setSure(false)} done=${() => { location.hash = `/run/${encodeURIComponent(id)}/steps`; }}
      act=${() => ask(`/runs/${at([id])}/resume`, resume)}><p>It executes in this server. ${plan.steps.filter(step => step.decision === 'run' || step.decision === 'rerun').length} steps run; what is reused stays as it is.</p><//>` : null}`;
}

/** One of the steps, or none. */
const StepField = ({ label, none, steps, value, change }) => html`<label>${label} ${steps.length > 200 ? html`<input value=${value} placeholder=${none} spellcheck="false" onChange=${event => change(event.target.value.trim())} />`
  : html`<select value=${value} onChange=${event => change(event.target.value)}><option value="">${none}</option>${steps.map(step => html`<option value=${step.path}>${step.path}</option>`)}</select>`}</label>`;

function Costs({ id }) {
  const [value, problem] = useLive(`/runs/${at([id])}/costs`, `/runs/${at([id])}/events`);
  const cells = cost => html`<td class="num">${duration(cost.duration)}</td><td class="num">${cost.calls || ''}</td><td class="num">${cost.tokens || ''}</td><td class="num">${cost.cost_usd ? `$${number(cost.cost_usd)}` : ''}</td>`;
  const heads = html`<th scope="col">Time</th><th scope="col">Calls</th><th scope="col">Tokens</th><th scope="col">Money</th>`;
  return html`<${Loaded} value=${value} problem=${problem}>${() => html`
    <h2>Passes</h2><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Pass</th><th scope="col"></th>${heads}</tr></thead><tbody>${value.passes.map(pass => html`
      <tr><td>${pass.number}, ${new Date(pass.began_at).toLocaleString()}</td><td>spent</td>${cells(pass.spent)}</tr><tr><td></td><td>saved</td>${cells({ duration: pass.reused.duration + pass.skipped.duration, calls: pass.reused.calls + pass.skipped.calls, tokens: pass.reused.tokens + pass.skipped.tokens, cost_usd: number(pass.reused.cost_usd) + number(pass.skipped.cost_usd) })}</tr>`)}</tbody></table></div>
    <h2>Steps</h2><${Table} label="Costs of the steps" columns=${costColumns} items=${value.steps} id=${step => step.path} row=${step => html`<td class="path">${step.path}</td><td class="num">${step.attempts}</td>${cells(step.spent)}`} />`}<//>`;
}

const costColumns = [['Step', ''], ['Attempts', 'col-short'], ['Time', 'col-short'], ['Calls', 'col-short'], ['Tokens', 'col-short'], ['Money', 'col-short']];

function Definition({ id }) {
  const [value, problem] = useLive(`/runs/${at([id])}/definition`, null);
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.definition ? html`<p class="faint">${value.definition.path}</p><${Text} value=${value.definition.text} />` : html`<${Nothing} title="This run was defined in code.">Its text is in the program that made it.<//>`}<//>`;
}
