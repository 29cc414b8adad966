// A new run from a checkpoint of this one, with other values if one likes.
import { html, useState } from './vendor/preact-htm.js';
import { ask, at, useLive, Ask, Loaded, Trouble, Problem, duration } from './lib.js';
import { Editor, changes, parse, pretty, read } from './editor.js';

export function Fork({ id, seq, last, canRun, close, done }) {
  // What was not edited is as it was at the checkpoint; what was stays, whichever is chosen.
  const [edit, setEdit] = useState({ where: `${seq}`, params: null, state: null, outputs: {} });
  const [planned, setPlanned] = useState(null);
  const set = changed => setEdit({ ...edit, ...changed });
  const { where, outputs } = edit, isPlace = /^\d+$/.test(where) && Number(where) >= 1 && Number(where) <= last;
  const [snapshot, trouble] = useLive(`/runs/${at([id])}/snapshot?seq=${isPlace ? where : last}`, null);
  // A plan of other values is no plan of these.
  const plan = planned?.edit === edit ? planned : null;
  const changed = name => edit[name] === null ? { changed: {}, removed: [] } : changes(snapshot[name], parse(edit[name], `The ${name}`) ?? {});
  const { value: params = {}, problem: unread } = read(edit.params ?? '', 'object');
  const missing = !snapshot || edit.params === null || unread ? [] : changes(snapshot.params, params).removed;
  const wrong = missing.length ? `A fork keeps every param: ${missing.join(', ')} must stay. Give another value instead.` : null;
  const body = () => {
    if (!isPlace) throw new Problem(400, { title: `There are checkpoints 1 to ${last}.` });
    if (wrong) throw new Problem(400, { title: wrong });
    const state = changed('state');
    return { at: Number(where), params: changed('params').changed, state: { ...state.changed, ...Object.fromEntries(state.removed.map(key => [key, null])) }, run: canRun,
      outputs: Object.fromEntries(Object.entries(outputs).map(([step, text]) => [step, parse(text, `The output of ${step}`, null)])) };
  };
  const look = async () => {
    try { setPlanned({ edit, value: await ask(`/runs/${at([id])}/fork`, { ...body(), dry_run: true }) }); } catch (problem) { setPlanned({ edit, problem }); }
  };
  const count = decision => plan.value.steps.filter(step => decision.includes(step.decision)).length;
  return html`<${Ask} title="A new run from this one" say=${canRun ? 'Fork and run' : 'Fork'} ready=${isPlace && snapshot} close=${close} done=${done} act=${() => ask(`/runs/${at([id])}/fork`, body())}>
    <p class="faint">The new run has everything up to the checkpoint. This one is not touched.</p>
    <label>From checkpoint <input type="number" min="1" max=${last} value=${where} aria-invalid=${isPlace ? null : 'true'} onInput=${event => set({ where: event.target.value })} /> of ${last}</label>
    <${Loaded} value=${snapshot} problem=${trouble}>${() => {
      const free = Object.keys(snapshot.outputs).filter(step => !(step in outputs));
      return html`
        <${Editor} label="Params, as JSON" kind="object" text=${edit.params ?? pretty(snapshot.params)} error=${wrong} change=${params => set({ params })} />
        <${Editor} label="State, as JSON" kind="object" rows="3" text=${edit.state ?? pretty(snapshot.state)} change=${state => set({ state })} />
        ${Object.entries(outputs).map(([step, text]) => html`<div key=${step}><${Editor} label="Output of ${step}, as JSON" text=${text} change=${text => set({ outputs: { ...outputs, [step]: text } })} />
          <button type="button" class="small" onClick=${() => { const { [step]: _, ...others } = outputs; set({ outputs: others }); }} aria-label="Leave the output of ${step} as it was">Leave it as it was</button></div>`)}
        ${free.length ? html`<label>Change an output <select value="" onChange=${event => { if (event.target.value) set({ outputs: { ...outputs, [event.target.value]: pretty(snapshot.outputs[event.target.value]) } }); }}><option value="">of no ${Object.keys(outputs).length ? 'other ' : ''}step</option>${free.map(step => html`<option value=${step}>${step}</option>`)}</select></label>` : null}`;
    }}<//>
    ${canRun ? html`<div class="bar"><button type="button" disabled=${!snapshot} onClick=${look}>What would it do?</button></div>` : html`<p class="faint">Its workflow is not known here: the fork waits, paused, for a process that has it.</p>`}
    ${plan?.problem ? html`<${Trouble} problem=${plan.problem} />` : plan?.value ? html`<div class="note" role="status">It reuses ${count(['reuse'])} of ${plan.value.steps.length} steps (${duration(plan.value.saves.duration)}) and runs ${plan.value.steps.filter(step => ['run', 'rerun'].includes(step.decision)).map(step => step.path).join(', ') || 'none'}.
      ${plan.value.refusals.map(refusal => html`<div><b>${refusal.message}</b> ${refusal.hint}</div>`)}${plan.value.warnings.map(warning => html`<div>${warning}</div>`)}</div>` : null}<//>`;
}
