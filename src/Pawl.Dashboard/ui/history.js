// The checkpoints of a run, newest first: those that are seen are read.
import { html, useState, useEffect, useMemo, useRef } from './vendor/preact-htm.js';
import { ask, at, duration, State, Time, Trouble } from './lib.js';
import { Table } from './virtual.js';

const size = 200;
const columns = [['Checkpoint', 'col-short'], ['Step', ''], ['What', 'col-state'], ['When', 'col-state'], ['Took', 'col-short wide'], ['', 'col-state']];

export function History({ id, last, compare }) {
  const [records, setRecords] = useState(new Map());
  const [problem, setProblem] = useState(null);
  const numbers = useMemo(() => Array.from({ length: last }, (_, i) => last - i), [last]);
  const asked = useRef(new Set()), missing = useRef(new Set());
  // What rows asked for while they were made.
  useEffect(() => {
    for (const page of missing.current) {
      // A page that has grown is another one.
      const from = page * size + 1, key = `${from}-${Math.min(last, from + size - 1)}`;
      if (asked.current.has(key)) continue;
      asked.current.add(key);
      ask(`/runs/${at([id])}/checkpoints?brief=true&from=${from}&limit=${size}`).then(
        found => { setRecords(known => new Map([...known, ...found.items.map(record => [record.seq, record])])); setProblem(null); },
        // Shown when it may be asked for again: that makes the rows anew, and they ask.
        error => setTimeout(() => { asked.current.delete(key); setProblem(error); }, 1000));
    }
    missing.current.clear();
  });
  return html`<${Trouble} problem=${problem} /><${Table} label="Checkpoints" columns=${columns} items=${numbers} id=${seq => seq} row=${seq => {
    const record = records.get(seq);
    if (!record) missing.current.add(Math.floor((seq - 1) / size));
    return html`<td><a href="#/run/${encodeURIComponent(id)}/checkpoints?seq=${seq}" aria-label="Checkpoint ${seq}">${seq}</a></td>
      <td><span class="path">${record?.path ?? ''}</span>${record?.attempt > 1 ? ` (${record.attempt})` : ''} <span class="faint">${record?.error?.slice(0, 160) ?? ''}</span></td>
      <td>${record?.status ? html`<${State} of=${record.status} />` : record?.kind ?? '…'}</td><td><${Time} of=${record?.at} /></td><td class="num wide">${record?.duration ? duration(record.duration) : ''}</td>
      <td><button class="small" onClick=${() => compare(seq)} aria-label="Compare with checkpoint ${seq}">compare</button></td>`;
  }} />`;
}

/** A value that moves, once it rests. */
export function useSettled(value) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), 150);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
