// A new run from a checkpoint of this one, with other values if one likes.
import { html, useState, useEffect } from './vendor/preact-htm.js';
import { ask, at, useLive, Ask, Loaded, Trouble, Problem, duration } from './lib.js';
import { Editor, changes, parse, pretty } from './editor.js';

export function Fork({ id, seq, last, canRun, close, done }) {
  const [where, setWhere] = useState(`${seq}`);
  const isPlace = /^\d+$/.test(where) && Number(where) >= 1 && Number(where) <= last;
  return html`<${Inner} key=${isPlace ? where : 'none'} ...${{ id, where, setWhere, isPlace, last, canRun, close, done }} />`;
}

function Inner({ id, where, setWhere, isPlace, last, canRun, close, done }) {
  const [snapshot, trouble] = useLive(`/runs/${at([id])}/snapshot?seq=${isPlace ? where : last}`, null);
  const [texts, setTexts] = useState({ params: null, state: null });
  const [outputs, setOutputs] = useState({});
  const [plan, setPlan] = useState(null);
  const body = () => {
    if (!isPlace) throw new Problem(400, { title: `There are checkpoints 1 to ${last}.` });
    const params = texts.params === null ? {} : changes(snapshot.params, parse(texts.params, 'The params') ?? {}).changed;
    const state = texts.state === null ? { changed: {}, removed: [] } : changes(snapshot.state, parse(texts.state, 'The state') ?? {});
    return { at: Number(where), params, state: { ...state.changed, ...Object.fromEntries(state.removed.map(key => [key, null])) }, run: canRun,
      outputs: Object.fromEntries(Object.entries(outputs).map(([step, text]) => [step, parse(text, `The output of ${step}`, null)])) };
  };
  const look = async () => {
    try { setPlan({ value: await ask(`/runs/${at([id])}/fork`, { ...body(), dry_run: true }) }); } catch (problem) { setPlan({ problem }); }
  };
  const set = (name, text) => { setTexts({ ...texts, [name]: text }); setPlan(null); };
  const count = decision => plan.value.steps.filter(step => decision.includes(step.decision)).length;
  return html`<${Ask} title="A new run from this one" say=${canRun ? 'Fork and run' : 'Fork'} ready=${isPlace && snapshot} close=${close} done=${done} act=${() => ask(`/runs/${at([id])}/fork`, body())}>
    <p class="faint">The new run has everything up to the checkpoint. This one is not touched.</p>
    <label>From checkpoint <input type="number" min="1" max=${last} value=${where} aria-invalid=${isPlace ? null : 'true'} onInput=${event => { setWhere(event.target.value); }} /> of ${last}</label>
    <${Loaded} value=${snapshot} problem=${trouble}>${() => {
      const free = Object.keys(snapshot.outputs).filter(step => !(step in outputs));
      return html`
        <${Editor} label="Params, as JSON" kind="object" text=${texts.params ?? pretty(snapshot.params)} change=${text => set('params', text)} />
        <${Editor} label="State, as JSON" kind="object" rows="3" text=${texts.state ?? pretty(snapshot.state)} change=${text => set('state', text)} />
        ${Object.entries(outputs).map(([step, text]) => html`<div key=${step}><${Editor} label="Output of ${step}, as JSON" text=${text} change=${text => { setOutputs({ ...outputs, [step]: text }); setPlan(null); }} /></div>`)}
        ${free.length ? html`<label>Change an output <select value="" onChange=${event => { if (event.target.value) { setOutputs({ ...outputs, [event.target.value]: pretty(snapshot.outputs[event.target.value]) }); setPlan(null); } }}><option value="">of no ${Object.keys(outputs).length ? 'other ' : ''}step</option>${free.map(step => html`<option value=${step}>${step}</option>`)}</select></label>` : null}`;
    }}<//>
    ${canRun ? html`<div class="bar"><button type="button" onClick=${look}>What would it do?</button></div>` : html`<p class="faint">Its workflow is not known here: the fork waits, paused, for a process that has it.</p>`}
    ${plan?.problem ? html`<${Trouble} problem=${plan.problem} />` : plan?.value ? html`<div class="note" role="status">It reuses ${count(['reuse'])} of ${plan.value.steps.length} steps (${duration(plan.value.saves.duration)}) and runs ${plan.value.steps.filter(step => ['run', 'rerun'].includes(step.decision)).map(step => step.path).join(', ') || 'none'}.
      ${plan.value.refusals.map(refusal => html`<div><b>${refusal.message}</b> ${refusal.hint}</div>`)}${plan.value.warnings.map(warning => html`<div>${warning}</div>`)}</div>` : null}<//>`;
}
