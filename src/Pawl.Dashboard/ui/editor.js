// JSON that people write: checked while they type, with the place of the mistake.
import { html, useState } from './vendor/preact-htm.js';
import { Problem, exact } from './lib.js';

const token = /\s*(?:("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|([{}[\],:]))/y;

/** How far a text is JSON: browsers say what is wrong, and not all of them where. */
function mistake(text) {
  const open = [];
  for (let at = 0, want = 'value'; ;) {
    token.lastIndex = at;
    const [whole, string, scalar, mark] = token.exec(text) ?? [], begin = at + /^\s*/.exec(text.slice(at))[0].length, list = open.at(-1) === '[';
    if (whole === undefined) return begin;
    if ((string !== undefined || scalar !== undefined) && /value/.test(want)) want = 'next';
    else if (string !== undefined && /key/.test(want)) want = ':';
    else if (mark === ':' && want === ':') want = 'value';
    else if (mark === ',' && want === 'next' && open.length) want = list ? 'value' : 'key';
    else if (/[{[]/.test(mark) && /value/.test(want)) want = open[open.push(mark) - 1] === '[' ? 'first value' : 'first key';
    else if (mark === (list ? ']' : '}') && /first|next/.test(want) && open.pop()) want = 'next';
    else return begin;
    at += whole.length;
  }
}

function place(text) {
  const before = text.slice(0, mistake(text)).split('\n');
  return `line ${before.length}, column ${before.at(-1).length + 1}`;
}

const kinds = { object: 'an object: { "name": value }', list: 'a list: [ value, value ]' };

/** → { value } or { problem }. Empty text is no value. */
export function read(text, kind) {
  if (!text.trim()) return { value: undefined };
  let value;
  try { value = exact(text); } catch (error) {
    return { problem: `This is no JSON: ${error.message.replace(/^JSON\.parse: /, '').replace(/, .*is not valid JSON|( in JSON)? at position.*| \(line.*| at line.*/s, '')} (${place(text)}).` };
  }
  const isObject = value !== null && typeof value === 'object' && !Array.isArray(value) && !JSON.isRawJSON?.(value);
  if ((kind === 'object' && !isObject) || (kind === 'list' && !Array.isArray(value))) return { problem: `It must be ${kinds[kind]}.` };
  return { value };
}

/** As `read`; a mistake is thrown. */
export function parse(text, what, kind = 'object') {
  const { value, problem } = read(text, kind);
  if (problem) throw new Problem(400, { title: `${what} cannot be read. ${problem}` });
  return value ?? null;
}

export const pretty = value => JSON.stringify(value, null, 2);

let number = 0;

/** A text area for JSON. `kind` is object, list, or absent for any. */
export function Editor({ label, text, change, kind, error, placeholder, rows = 5 }) {
  const [id] = useState(() => `json-${++number}`);
  const { value, problem } = read(text, kind);
  const wrong = problem ?? error;
  return html`<div class="editor"><label for=${id}>${label}</label>
    <textarea id=${id} rows=${rows} value=${text} placeholder=${placeholder} spellcheck="false" aria-invalid=${wrong ? 'true' : null} aria-describedby=${wrong ? `${id}-wrong` : null} onInput=${event => change(event.target.value)}></textarea>
    ${value !== undefined && pretty(value) !== text ? html`<button type="button" class="small" onClick=${() => change(pretty(value))}>Tidy up</button>` : null}
    ${wrong ? html`<p class="wrong" id="${id}-wrong" role="alert">${wrong}</p>` : null}</div>`;
}

/** What of an edited object is different: { changed, removed }. */
export function changes(before, after) {
  const changed = {};
  for (const [name, value] of Object.entries(after)) if (JSON.stringify(before[name]) !== JSON.stringify(value)) changed[name] = value;
  return { changed, removed: Object.keys(before).filter(name => !(name in after)) };
}
