// Long tables: only the rows near those that are seen are in the page, and each says which one of how many it is.
import { html, useState, useRef, useLayoutEffect } from './vendor/preact-htm.js';

// Shorter ones are whole, with rows as high as they need. Heights are those of app.css.
const few = 100, high = 34, spare = 12, most = 20;

/** `columns`: [title, class]; `row(item)`: the cells; the first link of a row takes the keyboard's focus. */
export function Table({ label, columns, items, id, row }) {
  const box = useRef(), wanted = useRef(null);
  const [top, setTop] = useState(0);
  const [seen, setSeen] = useState(most);
  const isLong = items.length > few;
  const first = isLong ? Math.max(0, Math.min(top, items.length - seen) - spare) : 0;
  const last = isLong ? Math.min(items.length, top + seen + spare) : items.length;
  useLayoutEffect(() => {
    if (!isLong) return;
    setSeen(Math.ceil(box.current.clientHeight / high));
    // Fewer rows than before, by a filter: what is seen may be behind the end.
    moved();
  }, [isLong, items.length]);
  // At once when the row is in the page, else as soon as it is.
  const focusWanted = () => {
    const link = wanted.current === null ? null : box.current.querySelector(`[aria-rowindex="${wanted.current + 2}"] a`);
    if (!link) return;
    link.focus({ preventScroll: true });
    wanted.current = null;
  };
  useLayoutEffect(focusWanted);
  const moved = () => {
    const next = Math.floor(box.current.scrollTop / high);
    const focused = focusedRow();
    // The row that has the focus leaves the page: the table keeps it.
    if (focused !== null && (focused < next - spare || focused >= next + seen + spare)) box.current.focus({ preventScroll: true });
    if (Math.abs(next - top) >= spare / 2 || next === 0 || next + seen >= items.length) setTop(next);
  };
  const focusedRow = () => {
    const index = box.current.contains(document.activeElement) ? document.activeElement.closest('[aria-rowindex]')?.getAttribute('aria-rowindex') : null;
    return index ? index - 2 : null;
  };
  const keys = event => {
    const at = focusedRow(), page = seen - 2;
    if (at === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(items.length - 1, to));
    // The head of the table lies over the first row.
    if (index * high < box.current.scrollTop) box.current.scrollTop = index * high;
    if ((index + 2) * high > box.current.scrollTop + box.current.clientHeight) box.current.scrollTop = (index + 2) * high - box.current.clientHeight;
    wanted.current = index;
    focusWanted();
    setTop(Math.floor(box.current.scrollTop / high));
  };
  const gap = count => count > 0 ? html`<tr aria-hidden="true" style=${{ height: `${count * high}px` }}></tr>` : null;
  const cells = (item, index) => html`<tr key=${id(item)} aria-rowindex=${isLong ? index + 2 : null}>${row(item)}</tr>`;
  return html`<div class="scroll ${isLong ? 'long' : ''}" tabindex="0" ref=${box} role="region" aria-label=${label} onScroll=${isLong ? moved : null} onKeyDown=${isLong ? keys : null}>
    <table aria-rowcount=${isLong ? items.length + 1 : null}><thead><tr aria-rowindex=${isLong ? 1 : null}>${columns.map(([title, kind]) => html`<th scope="col" class=${kind}>${title}</th>`)}</tr></thead>
      <tbody>${gap(first)}${items.slice(first, last).map((item, n) => cells(item, first + n))}${gap(items.length - last)}</tbody></table></div>`;
}
