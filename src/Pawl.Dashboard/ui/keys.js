// The page by keyboard. Keys are only taken where nobody types.
import { html, useEffect, useLayoutEffect, useRef } from './vendor/preact-htm.js';
import { open, to } from './lib.js';

const places = { r: ['runs', 'Runs'], a: ['approvals', 'Approvals'], w: ['workflows', 'Workflows'], q: ['queues', 'Queues and workers'], c: ['schedules', 'Schedules'], s: ['storage', 'Storage'], u: ['audit', 'Audit'], n: ['start', 'Start a run'] };

const rows = () => [...document.querySelectorAll('main tbody tr')].map(row => row.querySelector('a')).filter(link => link?.offsetParent);

function move(by) {
  const all = rows();
  if (all.length === 0) return;
  const now = all.findIndex(link => link.closest('tr').contains(document.activeElement));
  const next = all[Math.max(0, Math.min(all.length - 1, now < 0 ? (by > 0 ? 0 : all.length - 1) : now + by))];
  next.focus();
  next.closest('tr').scrollIntoView({ block: 'nearest' });
}

/** Listens while the page lives. `help` opens the list of keys. */
export function useKeys(help) {
  // With the first frame, and not behind it.
  useLayoutEffect(() => {
    // Times count from the beginning of the page: 0 would be a 'g' that was pressed then.
    const none = -Infinity;
    let leader = none;
    const press = event => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector('dialog[open]')) return;
      const target = event.target;
      if (target.matches?.('input:not([type=checkbox]), textarea, select, [contenteditable]')) {
        if (event.key === 'Escape') target.blur();
        return;
      }
      const isLed = event.timeStamp - leader < 1500;
      leader = none;
      if (isLed && places[event.key]) open(to([places[event.key][0]]));
      else if (event.key === 'g') leader = event.timeStamp;
      else if (event.key === 'j') move(1);
      else if (event.key === 'k') move(-1);
      else if (event.key === 'x') document.activeElement?.closest?.('tr')?.querySelector('input[type=checkbox]')?.click();
      else if (event.key === '/') document.querySelector('main input[type=search]')?.focus();
      else if (event.key === '?') help();
      else if (event.key === 'u' && location.hash.startsWith('#/run/')) open(to(['runs']));
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

export function Keys({ close }) {
  const box = useRef();
  useEffect(() => box.current.showModal(), []);
  const line = (keys, text) => html`<div><dt>${keys.map(key => html`<kbd>${key}</kbd> `)}</dt><dd>${text}</dd></div>`;
  return html`<dialog ref=${box} onClose=${close} aria-label="Keys"><h2>Keys</h2><dl class="keys">
    ${line(['j'], 'next row')}${line(['k'], 'row before')}${line(['Enter'], 'open it')}${line(['x'], 'choose the run, for an action on many')}${line(['/'], 'search')}${line(['u'], 'from a run back to the list')}${line(['←', '→'], "a run's views, when one of their tabs has the focus")}
    ${Object.entries(places).map(([key, [, title]]) => line(['g', key], title))}${line(['?'], 'this list')}${line(['Esc'], 'close, or leave a field')}</dl>
    <form method="dialog" class="bar"><button>Close</button></form></dialog>`;
}
