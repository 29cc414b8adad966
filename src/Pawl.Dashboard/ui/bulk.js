// One action for many runs: what each would get, then the same, run by run.
import { html, useState, useEffect, useRef } from './vendor/preact-htm.js';
import { ask, stream, to, runLink, State, Trouble, Problem } from './lib.js';

const actions = {
  cancel: { verb: 'Cancel', done: 'canceled', danger: true, text: 'Steps that run now are stopped. A canceled run stays canceled.' },
  pause: { verb: 'Pause', done: 'paused', text: 'Steps that run now end first; nothing new starts.' },
  resume: { verb: 'Resume', done: 'resumed', text: 'They execute in the server of this page, sixteen at a time.' },
  requeue: { verb: 'Requeue', done: 'put back', text: 'Their workers go on with them; finished steps are reused.' },
  fork: { verb: 'Fork where they failed', done: 'forked', text: 'Each gets a new run that keeps what is done and goes on from the failure, in the server of this page. The failed ones stay as they are.' },
  delete: { verb: 'Remove', done: 'removed', danger: true, text: 'Their journals and outputs cannot be had back. Who asked is kept.' },
};

export function BulkBar({ chosen, filter, found, clear, begin }) {
  const many = chosen.length > 0;
  return html`<div class="bar bulk" role="group" aria-label="Actions for many runs">
    <b>${many ? `${chosen.length} chosen` : 'All that the filter finds'}</b>
    ${Object.entries(actions).map(([name, action]) => html`<button class=${action.danger ? 'danger' : ''} onClick=${() => begin(name, many ? chosen : null)}>${action.verb} …</button>`)}
    ${many ? html`<button onClick=${clear}>Choose none</button>` : html`<span class="faint">Tick runs to choose some of them.</span>`}</div>`;
}

/** Runs by name, or (null) all that the filter finds. */
export function Bulk({ action, runs, filter, close, done }) {
  const { verb, text, danger, done: past } = actions[action];
  const box = useRef();
  const gone = useRef(new AbortController());
  const [preview, setPreview] = useState(null);
  const [problem, setProblem] = useState(null);
  const [results, setResults] = useState(null);
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    box.current.showModal();
    ask(`/bulk?${runs ? '' : filter}`, { action, runs, dry_run: true }).then(setPreview, setProblem);
    return () => gone.current.abort();
  }, []);
  const get = preview?.items.filter(item => !item.refused) ?? [], refused = preview?.items.filter(item => item.refused) ?? [];
  // The more it is that cannot be undone, the more it asks for.
  const isGrave = danger && get.length > 10;
  const go = async event => {
    event.preventDefault();
    setBusy(true);
    const so_far = [];
    setResults(so_far);
    try {
      await stream('/bulk', { action, runs: get.map(item => item.run_id), dry_run: false }, item => { so_far.push(item); setResults([...so_far]); }, gone.current.signal);
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem(0, { title: 'The connection broke off.', hint: 'What is not in the list may still have happened. Look at the runs.' }));
    }
    setBusy(false);
    done?.();
  };
  const title = results ? `${verb}: ${results.filter(item => !item.refused).length} of ${get.length} ${past}` : !preview ? `${verb} …` : `${verb} ${get.length} ${get.length === 1 ? 'run' : 'runs'}?`;
  const list = results ?? [...get, ...refused];
  return html`<dialog ref=${box} class="vast" onClose=${close} aria-label=${title}><form onSubmit=${go} novalidate>
    <h2>${title}</h2>
    ${results ? null : html`<p>${text}</p>`}
    ${problem ? html`<${Trouble} problem=${problem} />` : null}
    ${!preview && !problem ? html`<p class="empty loading" role="status">Loading …</p>` : null}
    ${preview?.more ? html`<div class="note careful">More runs are like that: these are the newest ${preview.at_most}. Do it again for the rest.</div>` : null}
    ${preview && !results && refused.length ? html`<p class="faint">${refused.length} of ${preview.items.length} get nothing; the list says why.</p>` : null}
    ${busy ? html`<progress max=${get.length} value=${results.length} aria-label="Done so far"></progress>` : null}
    ${preview && list.length === 0 && !results ? html`<p class="empty">No run is like that.</p>` : null}
    ${list.length ? html`<div class="scroll tall" tabindex="0"><table><thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">${results ? 'What it got' : 'What it gets'}</th></tr></thead><tbody aria-live="off">${list.map(item => html`<tr key=${item.run_id} class=${item.refused ? 'refused' : ''}>
      <td>${runLink(item.run_id)}</td><td>${item.status ? html`<${State} of=${item.status} />` : ''}</td><td>${item.refused ? html`<span class="faint">nothing:</span> ${item.refused}` : item.does}${item.new_run ? html` as ${runLink(item.new_run)}` : ''}</td></tr>`)}</tbody></table></div>` : null}
    ${isGrave && !results ? html`<label>Write <b>${get.length}</b> to confirm <input value=${typed} inputmode="numeric" autocomplete="off" onInput=${event => setTyped(event.target.value)} /></label>` : null}
    <div class="bar">${results ? null : html`<button type="submit" class=${danger ? 'danger' : 'main'} disabled=${busy || get.length === 0 || (isGrave && typed.trim() !== `${get.length}`)}>${verb} ${get.length || ''}</button>`}
      <button type="button" onClick=${() => box.current.close()}>${busy ? 'Stop what has not begun' : results ? 'Close' : 'Not now'}</button></div>
  </form></dialog>`;
}
