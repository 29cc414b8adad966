// What all pages share: asking the API, words for people, small parts.
import { html, useState, useEffect, useLayoutEffect, useRef } from './vendor/preact-htm.js';

export const api = 'api/v1';

export class Problem extends Error {
  constructor(status, body) {
    super(body?.title ?? `The server answered ${status}.`);
    this.status = status;
    this.hint = body?.hint ?? body?.detail ?? null;
    // What is wrong with single values, by name.
    this.errors = body?.errors ?? {};
  }
}

/** JSON in which long numbers stay as they were written: a number of JavaScript holds 15 digits. They can be sent, and shown by JSON.stringify; `number` is for computing. */
export const exact = text => !JSON.rawJSON || !/[\d.]{16}/.test(text) ? JSON.parse(text)
  : JSON.parse(text, (key, value, { source }) => typeof value === 'number' && source.length > 15 && String(value) !== source ? JSON.rawJSON(source) : value);

export const number = value => Number(JSON.stringify(value));

// Answers that came with the page, for its first rendering: that is done when the timer comes, and whoever asks later wants to know what is new.
let first = exact(document.getElementById('first').textContent);
setTimeout(() => { first = {}; });

const early = {};

/** Asks for what a part of the page will ask for that is still on its way. */
export function askEarly(path) { early[path] = fetch(`${api}${path}`, { credentials: 'same-origin' }); }

const unreachable = () => new Problem(0, { title: 'The server cannot be reached.', hint: 'It is tried again by itself.' });

async function send(path, body, { seen, signal } = {}) {
  let answer;
  try {
    // What was asked for early is older than any change.
    const asked = seen ? null : early[path];
    delete early[path];
    answer = await (asked ?? fetch(`${api}${path}`, body === undefined ? { credentials: 'same-origin', headers: seen ? { 'Pawl-Seen': seen } : {} }
      : { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal }));
  } catch {
    throw unreachable();
  }
  // Whoever is signed out is refused, or led elsewhere.
  if (answer.status === 401 || answer.redirected) location.reload();
  if (answer.redirected) throw new Problem(401, { title: 'You are signed out.' });
  if (!answer.ok) throw new Problem(answer.status, (answer.headers.get('Content-Type') ?? '').includes('json') ? await answer.json() : null);
  return answer;
}

/** `seen` is the change that makes a page ask: all who were told of it are given the same answer. */
export async function ask(path, body, seen) {
  const answer = await send(path, body, { seen });
  // It may break off.
  const text = await answer.text().catch(() => { throw unreachable(); });
  return (answer.headers.get('Content-Type') ?? '').includes('json') ? exact(text) : text;
}

/** Of what was said to a run: the first one counts, and is kept, also when the run cannot go on with it here. `before` is the problem that it had when it was said before. */
export function kept(answer, before) {
  const isKept = answer.is_first || before?.isKept === true, { first } = answer;
  if (!isKept) throw new Problem(200, { title: `It does not count: ${first?.by ?? 'somebody'} ${first?.what ?? 'said'} it before${first ? `, at ${new Date(first.at).toLocaleString()}` : ''}.`, hint: first?.reason ? `The reason: ${first.reason}` : null });
  if (answer.problem) throw Object.assign(new Problem(200, { title: `It is kept, but the run does not go on here: ${answer.problem}`, hint: 'Mend that, then say it again.' }), { isKept });
  return answer;
}

/** Asks for what is answered line by line: `each` gets every line's value as it comes. */
export async function stream(path, body, each, signal) {
  const lines = (await send(path, body, { signal })).body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { done, value } = await lines.read();
    const parts = (rest + (value ?? '')).split('\n');
    rest = done ? '' : parts.pop();
    for (const line of parts) if (line) each(exact(line));
    if (done) return;
  }
}

/** The address of a place in the page. What is empty does not stand in it; a list stands there value by value. */
export function to(parts, query = {}) {
  const filled = Object.entries(query).flatMap(([name, value]) => [value].flat().map(one => [name, one])).filter(([, value]) => value !== '' && value != null && value !== false);
  return `#/${parts.map(encodeURIComponent).join('/')}${filled.length ? `?${new URLSearchParams(filled)}` : ''}`;
}

export const open = address => { location.hash = address.slice(1); };

/** The present place, said otherwise: a link to it finds it so, and going back does not pass every move of a slider. */
export function settle(address) {
  if (location.hash === address) return;
  history.replaceState(null, '', address);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export const runLink = (id, query) => html`<a class="path" href=${to(['run', id], query)}>${id}</a>`;

export const at = strings => strings.map(encodeURIComponent).join('/');

// A browser holds few connections to one server: whoever watches the same thing shares one, and a page in the background has none.
const feeds = new Map();

function connect(known) {
  const source = known.source = new EventSource(`${api}${known.feed}`);
  source.addEventListener('changed', event => {
    // The page was hidden for a while, and nothing has changed.
    if (event.lastEventId === known.last?.lastEventId) return;
    known.last = event;
    for (const watcher of [...known.watchers]) watcher.changed(event);
  });
  source.addEventListener('error', () => {
    if (source.readyState !== EventSource.CLOSED) return;
    // When it is there again everybody is told, whatever was missed.
    known.last = null;
    for (const watcher of [...known.watchers]) watcher.lost();
  });
}

document.addEventListener('visibilitychange', () => {
  for (const known of feeds.values()) {
    known.source?.close();
    known.source = null;
    if (!document.hidden) connect(known);
  }
});

function watch(feed, changed, lost) {
  const watcher = { changed, lost }, known = feeds.get(feed) ?? { feed, source: null, watchers: new Set(), last: null };
  feeds.set(feed, known);
  known.watchers.add(watcher);
  // A feed tells the newest mark when it begins; whoever joins later is told it here.
  if (known.last) changed(known.last);
  // One that was given up does not come back.
  if (!document.hidden && (known.source?.readyState ?? EventSource.CLOSED) === EventSource.CLOSED) connect(known);
  return () => {
    known.watchers.delete(watcher);
    if (known.watchers.size > 0) return;
    known.source?.close();
    feeds.delete(feed);
  };
}

/** When what is shown first has been seen, in milliseconds: what it does not need begins then. */
export const afterwards = 100;

const same = { path: path => path, next: (had, value) => value };

/** Reads an address again whenever its feed tells of a change; `grow` says how to ask for what is new only, and how to add it; what is in `body` is sent, and stands in no address. → [value, problem, reload] */
export function useLive(path, feed = '/events', grow = same, body) {
  const [value, setValue] = useState(first[path] ?? null);
  const [problem, setProblem] = useState(null);
  const load = useRef(() => {}), isLost = useRef(false), rejoin = useRef(() => {});
  // Asked for at once: an effect would wait for the first frame.
  useLayoutEffect(() => {
    let gone = false, busy = false, again = null, had = first[path] ?? null, retry = 0;
    load.current = async seen => {
      if (busy) { again = { seen }; return; }
      busy = true;
      try {
        const next = await ask(grow.path(path, had), body, seen);
        if (!gone) { had = grow.next(had, next); setValue(had); setProblem(isLost.current ? new Problem(0, { title: 'The connection is lost.', hint: 'It is tried again by itself.' }) : null); }
        // What is asked for is there, so its feed comes back.
        if (!gone && isLost.current) rejoin.current();
      } catch (error) {
        if (!gone) setProblem(error);
        // What told of the change does not tell of it again.
        if (!gone && (error.status === 0 || error.status >= 502)) { clearTimeout(retry); retry = setTimeout(() => load.current(), 1000); }
      }
      busy = false;
      const more = again;
      again = null;
      if (more && !gone) load.current(more.seen);
    };
    setValue(had);
    if (!had) load.current();
    return () => { gone = true; clearTimeout(retry); };
  }, [path, feed, JSON.stringify(body)]);
  useEffect(() => {
    if (!feed) return;
    // The first event may tell of what has just been read: it waits until that is shown.
    let isFirst = true, waits, leave, back;
    const told = event => {
      isLost.current = false;
      if (isFirst) waits = setTimeout(() => load.current(event.lastEventId), 300);
      else load.current(event.lastEventId);
      isFirst = false;
    };
    isLost.current = false;
    // What is asked for may tell why: it is no longer there.
    const lost = () => { isLost.current = true; load.current(); };
    const join = () => { leave?.(); leave = watch(feed, told, lost); };
    rejoin.current = () => { clearTimeout(back); back = setTimeout(join, 2000); };
    const begins = setTimeout(join, afterwards);
    return () => { clearTimeout(begins); clearTimeout(waits); clearTimeout(back); leave?.(); };
  }, [path, feed]);
  return [value, problem, () => load.current()];
}

/** What is not the first page comes when it is opened. */
export const later = (module, name) => {
  let Part = null;
  return props => {
    const [, setState] = useState(null);
    const [failed, setFailed] = useState(false);
    useEffect(() => { if (!Part) import(module).then(found => { Part = found[name]; setState(name); }, () => setFailed(true)); }, []);
    return Part ? html`<${Part} ...${props} />` : failed ? html`<p class="empty" role="alert">This page could not be read. Reload it.</p>` : html`<p class="empty loading" role="status">Loading …</p>`;
  };
};

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

export const money = cost => [cost.calls ? `${cost.calls} calls` : '', cost.tokens ? `${cost.tokens} tokens` : '', cost.cost_usd ? `$${number(cost.cost_usd)}` : ''].filter(Boolean).join(', ');

export const State = ({ of }) => html`<span class="state ${of}">${of}</span>`;

/** What stands where there is nothing, and what could be done about it. */
export const Nothing = ({ title, children }) => html`<div class="empty"><b>${title}</b>${children ? html`<div>${children}</div>` : null}</div>`;

// One clock for all that tells how long something takes; it stands still while nobody looks.
const hands = new Set();
const move = () => { if (!document.hidden) for (const hand of hands) hand(); };
setInterval(move, 1000);
document.addEventListener('visibilitychange', move);

/** What `tell` says now; whoever shows it is rendered again when it says something else. */
export function useClock(tell) {
  const now = tell(), latest = useRef();
  const [, show] = useState(now);
  latest.current = tell;
  useEffect(() => {
    const hand = () => show(latest.current());
    hands.add(hand);
    return () => hands.delete(hand);
  }, []);
  return now;
}

// The browser's words for times are slow to load: only for whoever points at one.
export function Time({ of }) {
  const text = useClock(() => of ? ago(of) : null);
  return of ? html`<time datetime=${of} onPointerEnter=${event => { event.currentTarget.title = new Date(of).toLocaleString(); }}>${text}</time>` : null;
}

/** How long a run has taken: one that is executed, until now. */
export const Took = ({ of: head }) => useClock(() => head.started_at ? duration((head.owner ? Date.now() : Date.parse(head.updated_at)) - Date.parse(head.started_at)) : '');

export const Trouble = ({ problem }) => problem
  ? html`<div class="note bad" role="alert"><b>${problem.message}</b>${problem.hint ? html`<div>${problem.hint}</div>` : null}</div>` : null;

/** The value of a live read, or what stands in its place. */
export const Loaded = ({ value, problem, children }) => value ? html`${problem ? html`<${Trouble} problem=${problem} />` : null}${children(value)}`
  : problem ? html`<${Trouble} problem=${problem} />` : html`<div class="empty loading" role="status">Loading …</div>`;

const most = 100000;
/** JSON or text as text: never as markup. What is very long is cut, and says so. */
export function Text({ value }) {
  const [whole, setWhole] = useState(false);
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return html`<pre tabindex="0">${whole ? text : text.slice(0, most)}</pre>${text.length > most && !whole
    ? html`<button onClick=${() => setWhole(true)}>Show all ${text.length.toLocaleString()} characters</button>` : null}`;
}

/** A question before something is done. `act` does it, and is told what was wrong the time before; its problem is shown in place. The browser gives the focus back when the dialog is closed. */
export function Ask({ title, say = 'Do it', danger, ready = true, act, done, close, children }) {
  const box = useRef();
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => { box.current.showModal(); }, []);
  const go = async event => {
    event.preventDefault();
    setBusy(true);
    try {
      const result = await act(problem);
      box.current?.close();
      done?.(result);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return html`<dialog ref=${box} onClose=${close} aria-label=${title}><form onSubmit=${go} novalidate>
    <h2>${title}</h2>${children}<${Trouble} problem=${problem} />
    <div class="bar"><button type="submit" class=${danger ? 'danger' : 'main'} disabled=${busy || !ready}>${busy ? 'One moment …' : say}</button><button type="button" onClick=${() => box.current.close()}>Not now</button></div>
  </form></dialog>`;
}
