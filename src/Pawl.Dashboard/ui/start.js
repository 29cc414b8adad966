// Starting a run: a form made of what the workflow says about its params.
import { html, useState, useEffect } from './vendor/preact-htm.js';
import { ask, at, to, open, settle, useLive, Loaded, Nothing, Trouble, Problem } from './lib.js';
import { Editor, pretty, read } from './editor.js';

export function Start({ query, info }) {
  const like = query.get('like'), name = query.get('workflow');
  const [known, problem] = useLive('/definitions', null);
  if (info?.read_only) return html`<h1>Start a run</h1><${Nothing} title="The page is read-only.">Nothing can be started from it.<//>`;
  return html`<h1>${like ? 'Start another run' : 'Start a run'}</h1>
    ${like ? html`<${Like} key=${like} id=${like} />` : html`<${Loaded} value=${known} problem=${problem}>${() => html`<${Known} known=${known.items} name=${name} />`}<//>`}`;
}

function Known({ known, name }) {
  // Of several versions the newest is started.
  const good = known.filter(one => one.name && !known.some(other => other.name === one.name && other.version > one.version)), broken = known.filter(one => one.problem);
  const chosen = good.find(one => one.name === name) ?? (name ? null : good.length === 1 ? good[0] : null);
  return html`
    ${broken.map(one => html`<div class="note bad" role="alert"><b class="path">${one.path}</b> cannot be started:<pre tabindex="0">${one.problem}</pre></div>`)}
    ${good.length === 0 ? html`<${Nothing} title="No workflow can be started from here.">Name its file: <code>pawl ui FILE</code>; or in an application, <code>DashboardOptions.Workflows</code>. A run from a file can be started again from its own page.<//>`
      : html`<div class="bar"><label for="workflow">Workflow</label> <select id="workflow" value=${chosen?.name ?? ''} onChange=${event => settle(to(['start'], { workflow: event.target.value }))}>
        ${chosen ? null : html`<option value="">choose one</option>`}${good.map(one => html`<option value=${one.name}>${one.name}, version ${one.version}</option>`)}</select></div>`}
    ${name && !chosen ? html`<div class="note careful">The workflow <b>${name}</b> is not known here.</div>` : null}
    ${chosen ? html`<${Form} key=${`${chosen.name}.${chosen.version}`} title=${chosen.description} path=${chosen.path} params=${chosen.params} values=${{}} target=${{ workflow: chosen.name }} />` : null}`;
}

function Like({ id }) {
  const [definition, problem] = useLive(`/runs/${at([id])}/definition`, null);
  const [snapshot, trouble] = useLive(`/runs/${at([id])}/snapshot`, null);
  return html`<${Loaded} value=${definition && snapshot} problem=${problem ?? trouble}>${() => definition.params
    ? html`<p class="faint">As <a class="path" href=${to(['run', id])}>${id}</a> was, with its workflow <b>${snapshot.head.workflow}</b> and its params. Change what should be different.</p>
      <${Form} path=${definition.definition?.path} params=${definition.params} values=${snapshot.params} target=${{ of_run: id }} />`
    : html`<${Nothing} title="Its workflow is not known here.">${definition.problem ?? 'It was made by a program. Start it there, or add the workflow to DashboardOptions.Workflows.'}<//>`}<//>`;
}

const textOf = (param, value) => value === undefined ? '' : param.type === 'list' || param.type === 'object' ? pretty(value) : typeof value === 'string' ? value : JSON.stringify(value);

/** → { value } or { problem }; neither when nothing is given. */
function check(param, text) {
  if (text === '' && param.type !== 'string') return {};
  if (param.type === 'list' || param.type === 'object') return read(text, param.type);
  if (param.type === 'boolean') return { value: text === 'true' };
  if (param.type === 'number' || param.type === 'integer') {
    const number = Number(text);
    if (text.trim() === '' || !Number.isFinite(number)) return { problem: 'Write a number.' };
    if (param.type === 'integer' && !Number.isInteger(number)) return { problem: 'Write a whole number.' };
    // A long one as it is written: as a number, or from a browser that has none such as text, which the server reads.
    const written = text.trim();
    return { value: String(number) === written ? number : JSON.rawJSON ? read(written).value ?? number : written };
  }
  return { value: text };
}

function Form({ title, path, params, values, target }) {
  const first = Object.fromEntries(params.map(param => [param.name, textOf(param, param.default)]));
  const [texts, setTexts] = useState({ ...first, ...Object.fromEntries(params.filter(param => values[param.name] !== undefined).map(param => [param.name, textOf(param, values[param.name])])) });
  // Params of a workflow that declares none.
  const [free, setFree] = useState(Object.keys(values).length && params.length === 0 ? pretty(values) : '');
  const [more, setMore] = useState({ run_id: '', queue: '', priority: '', tags: '' });
  const [told, setTold] = useState({});
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const set = (name, text) => { setTexts({ ...texts, [name]: text }); setTold({ ...told, [name]: undefined }); };

  const given = {}, wrong = {};
  for (const param of params) {
    const { value, problem } = check(param, texts[param.name]);
    if (problem) wrong[param.name] = problem;
    else if (texts[param.name] !== first[param.name]) { if (value !== undefined) given[param.name] = value; }
    else if (param.required && param.default === undefined && !param.environment_variable) wrong[param.name] = 'It is required.';
  }
  const go = async event => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(wrong).length) { document.getElementById(`param-${Object.keys(wrong)[0]}`)?.focus(); return; }
    setBusy(true);
    try {
      const tags = Object.fromEntries(more.tags.split(/[\n,]/).map(line => line.trim()).filter(Boolean).map(line => {
        const cut = line.indexOf('=');
        if (cut < 1) throw new Problem(400, { title: 'A tag is written as name=value.', errors: { tags: `'${line}' is no name=value.` } });
        return [line.slice(0, cut), line.slice(cut + 1)];
      }));
      const { value, problem } = params.length === 0 ? read(free, 'object') : {};
      if (problem) throw new Problem(400, { title: `The params cannot be read. ${problem}` });
      const run = await ask('/runs', { ...target, params: params.length === 0 ? value ?? {} : given, tags, ...(more.run_id ? { run_id: more.run_id.trim() } : {}),
        ...(more.queue.trim() ? { queue: more.queue.trim(), priority: Number(more.priority) || 0 } : {}) });
      open(to(['run', run.run_id]));
    } catch (error) {
      setProblem(error);
      setTold(error.errors ?? {});
      setBusy(false);
    }
  };
  return html`<form class="form" onSubmit=${go} novalidate>
    ${title ? html`<p>${title}</p>` : null}${path ? html`<p class="faint path">${path}</p>` : null}
    ${params.length === 0 ? html`<${Editor} label="Params, as JSON (it declares none and takes any)" kind="object" text=${free} change=${setFree} placeholder='{ "name": "value" }' />`
      : params.map(param => html`<${Field} key=${param.name} param=${param} text=${texts[param.name]} change=${text => set(param.name, text)} first=${first[param.name]} wrong=${told[param.name] ?? (tried || texts[param.name] !== first[param.name] ? wrong[param.name] : null)} />`)}
    <details><summary>Where, and under which name</summary>
      <${Plain} name="queue" label="Queue" help="Empty: it executes in the server of this page. A worker takes it from a queue." value=${more.queue} change=${queue => setMore({ ...more, queue })} wrong=${told.queue} />
      ${more.queue.trim() ? html`<${Plain} name="priority" label="Priority" help="The greatest number goes first." value=${more.priority} change=${priority => setMore({ ...more, priority })} />` : null}
      <${Plain} name="run_id" label="Run id" help="Empty: one is made of the workflow's name and the time." value=${more.run_id} change=${run_id => setMore({ ...more, run_id })} wrong=${told.run_id} />
      <${Plain} name="tags" label="Tags" help="name=value, with commas" value=${more.tags} change=${tags => setMore({ ...more, tags })} wrong=${told.tags} /></details>
    <${Trouble} problem=${problem} />
    <div class="bar"><button class="main" disabled=${busy}>${busy ? 'One moment …' : more.queue.trim() ? 'Put it into the queue' : 'Start'}</button></div>
  </form>`;
}

const Plain = ({ name, label, help, value, change, wrong }) => html`<div class="field"><label for="more-${name}">${label}</label>
  <input id="more-${name}" value=${value} autocomplete="off" aria-describedby="more-${name}-help" aria-invalid=${wrong ? 'true' : null} onInput=${event => change(event.target.value)} /><p class="faint" id="more-${name}-help">${help}</p>${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : null}</div>`;

function Field({ param, text, change, first, wrong }) {
  const id = `param-${param.name}`, secret = param.type === 'secret';
  const help = [param.description, secret ? `A secret: it is kept nowhere${param.environment_variable ? `. Empty: it is read from ${param.environment_variable}` : ''}.` : null].filter(Boolean).join(' ');
  const shared = { id, 'aria-describedby': `${id}-help${wrong ? ` ${id}-wrong` : ''}`, 'aria-invalid': wrong ? 'true' : null, 'aria-required': param.required ? 'true' : null };
  const input = event => change(event.target.value);
  const choices = param.allowed ?? (param.type === 'boolean' ? ['true', 'false'] : null);
  return html`<div class="field"><div class="label"><label for=${id}><b>${param.name}</b> <span class="faint">${param.type}${param.required ? ', required' : ''}</span></label>${first !== '' && text !== first ? html`<button type="button" class="small" onClick=${() => change(first)}>back to the default</button>` : null}</div>
    ${choices ? html`<select ...${shared} value=${text} onChange=${input}>${first === '' ? html`<option value="">${param.required ? 'choose one' : 'not given'}</option>` : null}${choices.map(choice => html`<option value=${choice}>${choice}${choice === first ? ' (default)' : ''}</option>`)}</select>`
      : param.type === 'list' || param.type === 'object' ? html`<textarea ...${shared} rows=${Math.min(12, Math.max(2, text.split('\n').length))} spellcheck="false" value=${text} placeholder=${param.type === 'list' ? '[ "one", "two" ]' : '{ "name": "value" }'} onInput=${input}></textarea>`
      : secret ? html`<input ...${shared} type="password" autocomplete="off" value=${text} onInput=${input} />`
      : text.length > 80 || text.includes('\n') ? html`<textarea ...${shared} rows="4" value=${text} onInput=${input}></textarea>`
      : html`<input ...${shared} inputmode=${param.type === 'number' || param.type === 'integer' ? 'decimal' : null} autocomplete="off" value=${text} onInput=${input} />`}
    <p class="faint" id="${id}-help">${help}</p>
    ${wrong ? html`<p class="wrong" id="${id}-wrong" role="alert">${wrong}</p>` : null}</div>`;
}
