// JSON that people write: checked while they type, with the place of the mistake.
import { html, useState } from './vendor/preact-htm.js';
import { Problem } from './lib.js';

/** Where a mistake is, as browsers tell it: by position, or by line and column. */
function place(text, error) {
  const lineColumn = /line (\d+) column (\d+)/.exec(error.message), position = /position (\d+)/.exec(error.message);
  if (lineColumn) return `line ${lineColumn[1]}, column ${lineColumn[2]}`;
  const before = text.slice(0, position ? Number(position[1]) : text.length).split('\n');
  return `line ${before.length}, column ${before.at(-1).length + 1}`;
}

const kinds = { object: 'an object: { "name": value }', list: 'a list: [ value, value ]' };

/** → { value } or { problem }. Empty text is no value. */
export function read(text, kind) {
  if (!text.trim()) return { value: undefined };
  let value;
  try { value = JSON.parse(text); } catch (error) {
    return { problem: `This is no JSON: ${error.message.replace(/^JSON\.parse: /, '').replace(/ in JSON at position.*| \(line.*| at line.*/, '')} (${place(text, error)}).` };
  }
  const isObject = value !== null && typeof value === 'object' && !Array.isArray(value);
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
