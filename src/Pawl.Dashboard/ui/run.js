import { html, useState, useEffect, useMemo } from './vendor/preact-htm.js';
import { ask, at, useLive, Loaded, State, Time, Text, Ask, Trouble, Problem, stateOf, duration, money, parse } from './lib.js';
import { Decide } from './lists.js';
import { Graph, took, tries, stateOfStep } from './graph.js';
import { History, useSettled } from './history.js';
import { growing, top } from './steps.js';
import { Table } from './virtual.js';

const tabs = [['steps', 'Steps'], ['timeline', 'Timeline'], ['checkpoints', 'Checkpoints'], ['plan', 'What a resume does'], ['costs', 'Costs'], ['definition', 'Definition']];

export function Run({ id, tab = 'steps', query, info }) {
  const [value, problem, reload] = useLive(`/runs/${at([id])}`, `/runs/${at([id])}/events`, growing);
  const [dialog, setDialog] = useState(null);
  const go = name => { location.hash = `/run/${encodeURIComponent(id)}/${name}`; };
  const keys = event => {
    const index = tabs.findIndex(([name]) => name === tab), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { go(tabs[(index + step + tabs.length) % tabs.length][0]); event.preventDefault(); }
  };
  return html`<${Loaded} value=${value} problem=${problem}>${() => {
    const { head } = value, state = stateOf(head), parts = { id, value, head, query, info, setDialog, reload };
    return html`
      <h1 class="path">${id}</h1>
      <dl class="facts">
        <div><dt>State</dt><dd><${State} of=${state} /> ${head.done} of ${head.total} steps</dd></div>
        <div><dt>Workflow</dt><dd><a href="#/runs?workflow=${encodeURIComponent(head.workflow)}">${head.workflow}</a>, version ${head.version}</dd></div>
        <div><dt>Created</dt><dd><${Time} of=${head.created_at} /></dd></div>
        <div><dt>Executed by</dt><dd>${head.owner ? `${head.owner.command ?? ''} ${head.owner.host}, process ${head.owner.pid}` : 'nobody now'}</dd></div>
        <div><dt>Passes, token</dt><dd>${value.passes}, ${head.token}</dd></div>
        ${head.parent_run_id ? html`<div><dt>Child of</dt><dd><a class="path" href="#/run/${encodeURIComponent(head.parent_run_id)}">${head.parent_run_id}</a></dd></div>` : null}
        ${head.tags.forked_from ? html`<div><dt>Forked from</dt><dd><a class="path" href="#/run/${encodeURIComponent(head.tags.forked_from)}">${head.tags.forked_from}</a> at ${head.tags.forked_at}</dd></div>` : null}
        ${value.forks.length ? html`<div><dt>Forks</dt><dd>${value.forks.map(fork => html`<a class="path" href="#/run/${encodeURIComponent(fork)}">${fork}</a> `)}</dd></div>` : null}
        ${Object.entries({ ...head.tags, ...head.partition }).filter(([key]) => !key.startsWith('forked_')).map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}
      </dl>
      ${state === 'died' ? html`<div class="note careful">The process that executed this run died. What is done is kept; a resume goes on behind it.</div>` : null}
      ${head.error ? html`<div class="note bad"><b>Step <span class="path">${head.error_step}</span> failed:</b><${Text} value=${head.error} /></div>` : null}
      ${head.waits.map(wait => html`<div class="note careful" key=${wait.path}>Waits at <span class="path">${wait.path}</span> for ${wait.message ? html`a decision: <b>${wait.message}</b>` : wait.is_child_run ? 'the end of its child run' : wait.signal ? html`the signal <code>${wait.signal}</code>` : 'its time'}${wait.due ? `, until ${new Date(wait.due).toLocaleString()}` : ''}.
        ${info?.read_only ? null : wait.message ? html`<div class="bar"><button class="main" onClick=${() => setDialog(html`<${Decide} item=${{ run_id: id, step: wait.path, message: wait.message }} approve=${true} close=${() => setDialog(null)} />`)}>Approve …</button>
          <button class="danger" onClick=${() => setDialog(html`<${Decide} item=${{ run_id: id, step: wait.path, message: wait.message }} approve=${false} close=${() => setDialog(null)} />`)}>Reject …</button></div>`
          : wait.signal && !wait.is_child_run ? html`<div class="bar"><button onClick=${() => setDialog(html`<${Signal} id=${id} name=${wait.signal} close=${() => setDialog(null)} />`)}>Send the signal …</button></div>` : null}</div>`)}
      <${Actions} ...${parts} />
      <div role="tablist" aria-label="Views of the run" onKeyDown=${keys}>${tabs.map(([name, title]) => html`<button role="tab" id="tab-${name}" aria-selected=${name === tab} aria-controls="view" tabindex=${name === tab ? 0 : -1} onClick=${() => go(name)}>${title}</button>`)}</div>
      <div role="tabpanel" id="view" aria-labelledby="tab-${tab}">
        ${tab === 'timeline' ? html`<${Timeline} ...${parts} />` : tab === 'checkpoints' ? html`<${Checkpoints} ...${parts} />` : tab === 'plan' ? html`<${Plan} ...${parts} />`
          : tab === 'costs' ? html`<${Costs} ...${parts} />` : tab === 'definition' ? html`<${Definition} ...${parts} />` : html`<${Steps} ...${parts} />`}
      </div>`;
  }}<//>${dialog}`;
}

function Actions({ id, value, head, info, setDialog, reload }) {
  const [problem, setProblem] = useState(null);
  if (info?.read_only) return null;
  const close = () => setDialog(null), open = run => { location.hash = `/run/${encodeURIComponent(run.run_id)}`; };
  const sure = (title, verb, say, text, danger) => setDialog(html`<${Ask} title=${title} say=${say} danger=${danger} act=${() => ask(`/runs/${at([id])}/${verb}`, {})} close=${close} done=${verb === 'delete' ? () => { location.hash = '/runs'; } : reload}><p>${text}</p><//>`);
  const final = head.status === 'completed' || head.status === 'canceled';
  return html`<div class="bar" role="group" aria-label="Actions">
    ${value.can_resume && head.status !== 'waiting' ? html`<button class="main" onClick=${() => { location.hash = `/run/${encodeURIComponent(id)}/plan`; }}>Resume …</button>` : null}
    ${head.owner && !final ? html`<button onClick=${() => sure('Pause this run?', 'pause', 'Pause', 'Steps that run now end first; nothing new starts. It can be resumed.')}>Pause …</button>` : null}
    ${!final ? html`<button class="danger" onClick=${() => sure('Cancel this run?', 'cancel', 'Cancel the run', 'Steps that run now are stopped. A canceled run stays canceled.', true)}>Cancel …</button>` : null}
    ${value.can_execute ? html`<button onClick=${() => setDialog(html`<${Again} id=${id} close=${close} done=${open} />`)}>Run again …</button>` : null}
    <button onClick=${() => setDialog(html`<${Fork} id=${id} seq=${head.seq} last=${head.seq} canRun=${value.can_execute} close=${close} done=${open} />`)}>Fork …</button>
    ${head.dead_letter ? html`<button onClick=${async () => { try { await ask(`/runs/${at([id])}/requeue`, {}); reload(); } catch (error) { setProblem(error); } }}>Back into its queue</button>` : null}
    ${!head.owner ? html`<button class="danger" onClick=${() => sure('Remove this run for good?', 'delete', 'Remove', 'Its journal and outputs cannot be had back.', true)}>Remove …</button>` : null}
  </div><${Trouble} problem=${problem} />`;
}

function Signal({ id, name, close }) {
  const [body, setBody] = useState('');
  return html`<${Ask} title="Send the signal ${name}" say="Send" close=${close} act=${() => ask(`/runs/${at([id])}/signal`, { name, body: body.trim() ? JSON.parse(body) : null })}>
    <label>Body, as JSON (none: empty)<textarea value=${body} onInput=${event => setBody(event.target.value)} spellcheck="false"></textarea></label><//>`;
}

function Again({ id, close, done }) {
  const [text, setText] = useState('');
  return html`<${Ask} title="Run again with the same params" say="Run" close=${close} done=${done} act=${() => ask(`/runs/${at([id])}/rerun`, { params: parse(text, 'The params') })}>
    <label>Params to change, as JSON<textarea value=${text} onInput=${event => setText(event.target.value)} spellcheck="false" placeholder='{ "name": "value" }'></textarea></label><//>`;
}

export function Fork({ id, seq, last, canRun, close, done }) {
  const [where, setWhere] = useState(seq);
  const [texts, setTexts] = useState({ params: '', state: '', outputs: '' });
  const area = (name, label) => html`<label>${label}<textarea value=${texts[name]} onInput=${event => setTexts({ ...texts, [name]: event.target.value })} spellcheck="false"></textarea></label>`;
  return html`<${Ask} title="A new run from this one" say=${canRun ? 'Fork and run' : 'Fork'} close=${close} done=${done}
    act=${() => ask(`/runs/${at([id])}/fork`, { at: Number(where), params: parse(texts.params, 'The params'), state: parse(texts.state, 'The state'), outputs: parse(texts.outputs, 'The outputs'), run: canRun })}>
    <p class="faint">The new run has everything up to the checkpoint. This one is not touched.</p>
    <label>From checkpoint <input type="number" min="1" max=${last} value=${where} onInput=${event => setWhere(event.target.value)} /> of ${last}</label>
    ${area('params', 'Params to change, as JSON')}${area('state', 'State to change, as JSON')}${area('outputs', 'Outputs to change, as JSON: { "step": output }')}<//>`;
}

function Steps({ id, value, query }) {
  const [text, setText] = useState('');
  const open = query.get('step');
  const pick = path => { location.hash = `/run/${encodeURIComponent(id)}/steps?step=${encodeURIComponent(path)}`; };
  const steps = text ? value.steps.filter(step => step.path.toLowerCase().includes(text.toLowerCase()) || stateOfStep(step) === text) : value.steps;
  const chosen = open && value.steps.find(step => step.path === open);
  return html`<${Graph} steps=${value.steps} passes=${value.passes} open=${pick} />
    ${chosen ? html`<${StepView} key=${chosen.path} id=${id} step=${chosen} close=${() => { location.hash = `/run/${encodeURIComponent(id)}/steps`; }} />` : open ? html`<p class="note">There is no step <span class="path">${open}</span>.</p>` : null}
    <div class="bar"><input type="search" aria-label="Filter the steps" placeholder="filter: path or state" value=${text} onInput=${event => setText(event.target.value)} /> <span class="faint" role="status">${steps.length} steps</span></div>
    <${Table} label="Steps" columns=${stepColumns} items=${steps} id=${step => step.path} row=${step => html`<td><a class="path" href="#/run/${encodeURIComponent(id)}/steps?step=${encodeURIComponent(step.path)}">${step.path}</a> <span class="faint">${step.title ?? step.kind}</span></td>
      <td><${State} of=${stateOfStep(step)} /></td><td class="num">${tries(step).length || ''}</td><td class="num">${tries(step).length ? duration(took(step)) : ''}</td><td class="wide">${step.error?.message?.slice(0, 200) ?? step.reason?.slice(0, 200) ?? ''}</td>`} />`;
}

const stepColumns = [['Step', ''], ['State', 'col-state'], ['Attempts', 'col-short'], ['Took', 'col-short'], ['Why', 'wide']];

function StepView({ id, step, close }) {
  const [seq, setSeq] = useState(step.seq ?? step.attempts.at(-1)?.seq ?? null);
  return html`<section class="note"><div class="bar"><b class="path">${step.path}</b><${State} of=${stateOfStep(step)} />${step.reused.length ? html`<span class="faint">reused in pass ${step.reused.join(', ')}</span>` : null}<button onClick=${close}>Close</button></div>
    ${step.reason ? html`<p>${step.reason}</p>` : null}
    ${step.attempts.length > 1 ? html`<div class="bar" role="group" aria-label="Attempts">${step.attempts.map(attempt => html`<button aria-pressed=${attempt.seq === seq} onClick=${() => setSeq(attempt.seq)}>attempt ${attempt.attempt}: ${attempt.status}</button>`)}</div>` : null}
    ${seq ? html`<${CheckpointView} key=${seq} id=${id} seq=${seq} />` : html`<p class="faint">It has no checkpoint yet.</p>`}</section>`;
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
      ${block('Output', output)}${log instanceof Problem ? html`<${Trouble} problem=${log} />` : block('Log', log)}${block('Inputs', checkpoint.inputs)}${block('State changed', checkpoint.state)}${block('Metrics', checkpoint.metrics)}
      <details><summary>The record, number ${seq}</summary><${Text} value=${checkpoint} /></details>`;
  }}<//>`;
}

function Timeline({ id, value }) {
  const bars = useMemo(() => value.steps.flatMap(step => tries(step).map(attempt => ({ ...attempt, path: step.path, end: Date.parse(attempt.ended), begin: Date.parse(attempt.ended) - attempt.duration }))).sort((a, b) => a.begin - b.begin), [value]);
  if (bars.length === 0) return html`<p class="empty">No attempt has ended yet.</p>`;
  const begin = bars[0].begin, span = Math.max(1, bars.reduce((last, bar) => Math.max(last, bar.end), begin) - begin);
  return html`<p class="faint">${duration(span)} from the first attempt to the last, waits and pauses included.</p>
    <${Table} label="Attempts" columns=${barColumns} items=${bars} id=${bar => bar.seq} row=${bar => html`<td><a class="path" href="#/run/${encodeURIComponent(id)}/steps?step=${encodeURIComponent(bar.path)}">${bar.path}</a>${bar.attempt > 1 ? ` (${bar.attempt})` : ''}</td>
      <td><svg class="lane ${bar.status}" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label=${`${bar.status}, begun ${duration(bar.begin - begin)} after the first`}><rect x=${(bar.begin - begin) / span * 1000} y="4" height="12" width=${Math.max(2, bar.duration / span * 1000)} /></svg></td>
      <td class="num">${duration(bar.duration)}</td>`} />`;
}

const barColumns = [['Attempt', 'col-path'], ['When', 'col-lane'], ['Took', 'col-short']];

function Checkpoints({ id, head, value, query, info, setDialog }) {
  const [seq, setSeq] = useState(head.seq);
  const asked = Number(query.get('seq'));
  useEffect(() => { if (asked >= 1 && asked <= head.seq) setSeq(asked); }, [asked]);
  const [other, setOther] = useState('');
  const shown = useSettled(seq);
  const open = run => { location.hash = `/run/${encodeURIComponent(run.run_id)}`; };
  return html`<div class="bar"><label>Checkpoint <input type="range" min="1" max=${head.seq} value=${seq} onInput=${event => setSeq(Number(event.target.value))} aria-valuetext=${`${seq} of ${head.seq}`} /> <output>${seq} of ${head.seq}</output></label>
      <label>Compare with <input type="number" min="1" max=${head.seq} value=${other} placeholder="number" onInput=${event => setOther(event.target.value)} /></label>
      ${info?.read_only ? null : html`<button onClick=${() => setDialog(html`<${Fork} id=${id} seq=${seq} last=${head.seq} canRun=${value.can_execute} close=${() => setDialog(null)} done=${open} />`)}>Fork from ${seq} …</button>`}</div>
    ${other ? html`<${Difference} id=${id} left=${Number(other)} right=${shown} />` : html`<${CheckpointView} key=${shown} id=${id} seq=${shown} /><${SnapshotView} key=${`s${shown}`} id=${id} seq=${shown} />`}
    <h2>All checkpoints</h2><${History} id=${id} last=${head.seq} compare=${seq => setOther(String(seq))} />`;
}

function SnapshotView({ id, seq }) {
  const [value, problem] = useLive(`/runs/${at([id])}/snapshot?seq=${seq}`, null);
  return html`<h2>The run at this checkpoint</h2><${Loaded} value=${value} problem=${problem}>${() => ['params', 'state', 'outputs'].map(part => Object.keys(value[part]).length === 0 ? null
    : html`<details open=${part !== 'outputs'}><summary>${part}</summary><${Text} value=${value[part]} /></details>`)}<//>`;
}

function Difference({ id, left, right }) {
  const [value, problem] = useLive(`/runs/${at([id])}/diff?seq=${left}&otherSeq=${right}`, null);
  const rows = (title, list) => list.length === 0 ? null : html`<h2>${title}</h2>${list.map(one => html`<div><code>${one.path}</code><del>${one.left === undefined ? '(none)' : JSON.stringify(one.left)}</del><ins>${one.right === undefined ? '(none)' : JSON.stringify(one.right)}</ins></div>`)}`;
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.is_equal ? html`<p class="empty">No difference between ${left} and ${right}.</p>`
    : html`<p>From ${left} to ${right}:</p>${rows('Params', value.params)}${rows('State', value.state)}<h2>Steps</h2><ul>${value.steps.map(step => html`<li><span class="path">${step.path}</span>: ${step.what.join(', ')}</li>`)}</ul>`}<//>`;
}

const planColumns = [['Step', ''], ['Decision', 'col-state'], ['Saves', 'col-short'], ['Why', '']];

const decisions = { reuse: 'reuse', run: 'run', rerun: 'run again', skip: 'skip', wait: 'wait' };

function Plan({ id, value, head, info }) {
  const [asked, setAsked] = useState({ from: '', rerun: false, force: false, params: '' });
  const [params, setParams] = useState(null);
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState(null);
  const query = new URLSearchParams({ ...(asked.from ? { from: asked.from } : {}), ...(asked.rerun ? { rerun_changed: 'true' } : {}), ...(asked.force ? { force: 'true' } : {}), ...(params ? { params: JSON.stringify(params) } : {}) });
  const steps = top(value.steps);
  const [plan, trouble] = useLive(`/runs/${at([id])}/plan?${query}`, `/runs/${at([id])}/events`);
  const read = event => {
    setAsked({ ...asked, params: event.target.value });
    try { setParams(parse(event.target.value, 'The params')); setProblem(null); } catch (error) { setProblem(error); }
  };
  return html`
    <div class="bar"><label>From step ${steps.length > 200 ? html`<input value=${asked.from} placeholder="the first that is not done" spellcheck="false" onChange=${event => setAsked({ ...asked, from: event.target.value.trim() })} />`
      : html`<select value=${asked.from} onChange=${event => setAsked({ ...asked, from: event.target.value })}><option value="">the first that is not done</option>${steps.map(step => html`<option>${step.path}</option>`)}</select>`}</label>
      <label><input type="checkbox" checked=${asked.rerun} onChange=${event => setAsked({ ...asked, rerun: event.target.checked })} /> run again what was edited</label>
      <label><input type="checkbox" checked=${asked.force} onChange=${event => setAsked({ ...asked, force: event.target.checked })} /> also if canceled</label></div>
    <details><summary>Params to change</summary><textarea aria-label="Params to change, as JSON" value=${asked.params} onInput=${read} spellcheck="false"></textarea><${Trouble} problem=${problem} /></details>
    <${Loaded} value=${plan} problem=${trouble}>${() => html`
      ${plan.refusals.map(refusal => html`<div class="note bad"><b>${refusal.message}</b><div>${refusal.hint}</div></div>`)}
      ${plan.warnings.map(warning => html`<div class="note careful">${warning}</div>`)}
      ${plan.surroundings.map(fact => html`<p><b>${fact.fact.replaceAll('_', ' ')}</b> changed: ${fact.before ?? '(not told)'} → ${fact.now ?? '(not told)'}</p>`)}
      <p>Reuses ${plan.steps.filter(step => step.decision === 'reuse').length} of ${plan.steps.length} steps and saves ${duration(plan.saves.duration)}${money(plan.saves) ? `, ${money(plan.saves)}` : ''}.</p>
      ${info?.read_only || plan.refusals.length ? null : html`<button class="main" onClick=${() => setSure(true)}>Resume as shown …</button>`}
      <${Table} label="Decisions" columns=${planColumns} items=${plan.steps} id=${step => step.path} row=${step => html`<td class="path">${step.path}</td>
        <td class="state ${step.decision === 'skip' ? 'skip-step' : step.decision}">${decisions[step.decision]}</td><td>${step.decision === 'reuse' ? [duration(step.saves.duration), money(step.saves)].filter(Boolean).join(', ') : ''}</td><td>${step.reason}</td>`} />
      ${plan.definition.length ? html`<h2>The definition since the last pass</h2><pre>${plan.definition.map(line => line[0] === '+' ? html`<ins>${line}</ins>` : line[0] === '-' ? html`<del>${line}</del>` : html`<div>${line}</div>`)}</pre>` : null}`}<//>
    ${sure ? html`<${Ask} title="Resume this run?" say="Resume" close=${() => setSure(false)} done=${() => { location.hash = `/run/${encodeURIComponent(id)}/steps`; }}
      act=${() => ask(`/runs/${at([id])}/resume`, { from: asked.from || null, rerun_changed: asked.rerun, force: asked.force, params })}><p>It executes in this server. ${plan.steps.filter(step => step.decision === 'run' || step.decision === 'rerun').length} steps run; what is reused stays as it is.</p><//>` : null}`;
}

function Costs({ id }) {
  const [value, problem] = useLive(`/runs/${at([id])}/costs`, `/runs/${at([id])}/events`);
  const cells = cost => html`<td class="num">${duration(cost.duration)}</td><td class="num">${cost.calls || ''}</td><td class="num">${cost.tokens || ''}</td><td class="num">${cost.cost_usd ? `$${cost.cost_usd}` : ''}</td>`;
  const heads = html`<th scope="col">Time</th><th scope="col">Calls</th><th scope="col">Tokens</th><th scope="col">Money</th>`;
  return html`<${Loaded} value=${value} problem=${problem}>${() => html`
    <h2>Passes</h2><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Pass</th><th scope="col"></th>${heads}</tr></thead><tbody>${value.passes.map(pass => html`
      <tr><td>${pass.number}, ${new Date(pass.began_at).toLocaleString()}</td><td>spent</td>${cells(pass.spent)}</tr><tr><td></td><td>saved</td>${cells({ duration: pass.reused.duration + pass.skipped.duration, calls: pass.reused.calls + pass.skipped.calls, tokens: pass.reused.tokens + pass.skipped.tokens, cost_usd: pass.reused.cost_usd + pass.skipped.cost_usd })}</tr>`)}</tbody></table></div>
    <h2>Steps</h2><${Table} label="Costs of the steps" columns=${costColumns} items=${value.steps} id=${step => step.path} row=${step => html`<td class="path">${step.path}</td><td class="num">${step.attempts}</td>${cells(step.spent)}`} />`}<//>`;
}

const costColumns = [['Step', ''], ['Attempts', 'col-short'], ['Time', 'col-short'], ['Calls', 'col-short'], ['Tokens', 'col-short'], ['Money', 'col-short']];

function Definition({ id }) {
  const [value, problem] = useLive(`/runs/${at([id])}/definition`, null);
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.definition ? html`<p class="faint">${value.definition.path}</p><${Text} value=${value.definition.text} />` : html`<p class="empty">This run was defined in code.</p>`}<//>`;
}
