// What all pages share: asking the API, words for people, small parts.
import { html, useState, useEffect, useRef } from './vendor/preact-htm.js';

export const api = 'api/v1';

export class Problem extends Error {
  constructor(status, body) {
    super(body?.title ?? `The server answered ${status}.`);
    this.status = status;
    this.hint = body?.hint ?? body?.detail ?? null;
  }
}

/** `seen` is the change that makes a page ask: all who were told of it are given the same answer. */
export async function ask(path, body, seen) {
  let answer;
  try {
    answer = await fetch(`${api}${path}`, body === undefined ? { credentials: 'same-origin', headers: seen ? { 'Pawl-Seen': seen } : {} }
      : { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  } catch {
    throw new Problem(0, { title: 'The server cannot be reached.', hint: 'It is tried again by itself.' });
  }
  if (answer.status === 401) location.reload();
  const isJson = (answer.headers.get('Content-Type') ?? '').includes('json');
  const content = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Problem(answer.status, isJson ? content : null);
  return content;
}

export const at = strings => strings.map(encodeURIComponent).join('/');

// A browser holds few connections to one server: whoever watches the same thing shares one.
const feeds = new Map();

function watch(feed, changed, lost) {
  const known = feeds.get(feed) ?? { source: new EventSource(`${api}${feed}`), watchers: 0 };
  feeds.set(feed, known);
  known.watchers++;
  const failed = () => { if (known.source.readyState === EventSource.CLOSED) lost(); };
  known.source.addEventListener('changed', changed);
  known.source.addEventListener('error', failed);
  return () => {
    known.source.removeEventListener('changed', changed);
    known.source.removeEventListener('error', failed);
    if (--known.watchers > 0) return;
    known.source.close();
    feeds.delete(feed);
  };
}

const same = { path: path => path, next: (had, value) => value };

/** Reads an address again whenever its feed tells of a change; `grow` says how to ask for what is new only, and how to add it. → [value, problem, reload] */
export function useLive(path, feed = '/events', grow = same) {
  const [value, setValue] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = useRef(() => {});
  useEffect(() => {
    let gone = false, busy = false, again = null, had = null;
    load.current = async seen => {
      if (busy) { again = { seen }; return; }
      busy = true;
      try {
        const next = await ask(grow.path(path, had), undefined, seen);
        if (!gone) { had = grow.next(had, next); setValue(had); setProblem(null); }
      } catch (error) {
        if (!gone) setProblem(error);
      }
      busy = false;
      const more = again;
      again = null;
      if (more && !gone) load.current(more.seen);
    };
    setValue(null);
    load.current();
    if (!feed) return () => { gone = true; };
    // The first event may tell of what has just been read: it waits until that is shown.
    let isFirst = true, later;
    const told = event => {
      if (isFirst) later = setTimeout(() => load.current(event.lastEventId), 300);
      else load.current(event.lastEventId);
      isFirst = false;
    };
    const leave = watch(feed, told, () => { if (!gone) setProblem(new Problem(0, { title: 'The connection is lost.', hint: 'Reload the page.' })); });
    return () => { gone = true; clearTimeout(later); leave(); };
  }, [path, feed]);
  return [value, problem, () => load.current()];
}

export const stateOf = head => head.status === 'running' && !head.owner ? 'died' : head.status;

export function duration(ms) {
  if (ms == null) return '';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${Math.round(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.round(s % 3600 / 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.round(s % 86400 / 3600)} h`;
}

export const ago = time => {
  const ms = Date.now() - Date.parse(time);
  return ms < 5000 ? 'now' : ms < 0 ? `in ${duration(-ms)}` : `${duration(ms)} ago`;
};

export const money = cost => [cost.calls ? `${cost.calls} calls` : '', cost.tokens ? `${cost.tokens} tokens` : '', cost.cost_usd ? `$${cost.cost_usd}` : ''].filter(Boolean).join(', ');

export const State = ({ of }) => html`<span class="state ${of}">${of}</span>`;

export const Time = ({ of }) => of ? html`<time datetime=${of} title=${new Date(of).toLocaleString()}>${ago(of)}</time>` : null;

export const Trouble = ({ problem }) => problem
  ? html`<div class="note bad" role="alert"><b>${problem.message}</b>${problem.hint ? html`<div>${problem.hint}</div>` : null}</div>` : null;

/** The value of a live read, or what stands in its place. */
export const Loaded = ({ value, problem, children }) => value ? html`${problem ? html`<${Trouble} problem=${problem} />` : null}${children(value)}`
  : problem ? html`<${Trouble} problem=${problem} />` : html`<p class="empty" role="status">Loading …</p>`;

const most = 100000;
/** JSON or text as text: never as markup. What is very long is cut, and says so. */
export function Text({ value }) {
  const [whole, setWhole] = useState(false);
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return html`<pre tabindex="0">${whole ? text : text.slice(0, most)}</pre>${text.length > most && !whole
    ? html`<button onClick=${() => setWhole(true)}>Show all ${text.length.toLocaleString()} characters</button>` : null}`;
}

/** A question before something is done. `act` does it; its problem is shown in place. */
export function Ask({ title, say = 'Do it', danger, act, done, close, children }) {
  const box = useRef();
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => { box.current.showModal(); }, []);
  const go = async event => {
    event.preventDefault();
    setBusy(true);
    try {
      const result = await act();
      close();
      done?.(result);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return html`<dialog ref=${box} onClose=${close} aria-label=${title}><form onSubmit=${go}>
    <h2>${title}</h2>${children}<${Trouble} problem=${problem} />
    <div class="bar"><button type="submit" class=${danger ? 'danger' : 'main'} disabled=${busy}>${say}</button><button type="button" onClick=${close}>Not now</button></div>
  </form></dialog>`;
}

/** Text that should be a JSON object; → the object, or throws with the place. */
export function parse(text, what) {
  if (!text.trim()) return null;
  try {
    const value = JSON.parse(text);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('it is not an object: { "name": value }');
    return value;
  } catch (error) {
    throw new Problem(400, { title: `${what} cannot be read: ${error.message}` });
  }
}
