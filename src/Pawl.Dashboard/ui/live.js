// What steps say while they run.
import { html, useState, useEffect, useMemo, useRef } from './vendor/preact-htm.js';
import { api, at } from './lib.js';

const mostLines = 2000;

/** → by step: { attempt, lines: [[text, isError]], fraction, isRunning, hasGap }; null while nothing is heard. */
export function useLiveOutput(id, isOn) {
  const [said, setSaid] = useState(null);
  useEffect(() => {
    setSaid(null);
    if (!isOn) return;
    const steps = new Map();
    let source = null, frame = 0;
    const hear = event => {
      const { has_gap, lines } = JSON.parse(event.data);
      if (has_gap) for (const step of steps.values()) step.hasGap = true;
      for (const line of lines) {
        const step = steps.get(line.step) ?? { lines: [], isRunning: true };
        if (line.attempt && line.attempt !== step.attempt) Object.assign(step, { attempt: line.attempt, lines: [], fraction: null, isRunning: true, hasGap: false });
        if (line.has_ended) step.isRunning = false;
        if (line.fraction !== undefined) Object.assign(step, { fraction: line.fraction, note: line.text });
        else if (line.text !== undefined) step.lines.push([line.text, line.is_error]);
        if (step.lines.length > mostLines) { step.lines.splice(0, step.lines.length - mostLines); step.hasGap = true; }
        steps.set(line.step, step);
      }
      // A step that says much is drawn as often as the screen is, not as often as it speaks.
      frame ||= requestAnimationFrame(() => { frame = 0; setSaid(new Map(steps)); });
    };
    // A page in the background holds no connection: a browser has few of them.
    const tune = () => {
      if (document.hidden) { source?.close(); source = null; }
      else if (!source) {
        steps.clear();
        source = new EventSource(`${api}/runs/${at([id])}/live`);
        source.addEventListener('said', hear);
      }
    };
    tune();
    document.addEventListener('visibilitychange', tune);
    return () => { document.removeEventListener('visibilitychange', tune); source?.close(); cancelAnimationFrame(frame); };
  }, [id, isOn]);
  return said;
}

/** The steps as they are now: the journal knows those that ended, and what is heard those that run. The same list as long as nothing begins or ends. */
export function useUnderWay(value, said) {
  const running = [...(said ?? [])].filter(([, step]) => step.isRunning).map(([path]) => path).join('\n');
  return useMemo(() => {
    if (!value || (running === '' && value.ready.length === 0)) return value?.steps;
    const now = new Set(running.split('\n')), ready = new Set(value.ready);
    return value.steps.map(step => now.has(step.path) ? { ...step, status: 'running', cause: null } : ready.has(step.path) ? { ...step, status: 'ready' } : step);
  }, [value, running]);
}

/** The end of what a step said so far; it stays at the end unless one scrolls up. */
export function Said({ said }) {
  const box = useRef(), stay = useRef(true);
  useEffect(() => { if (stay.current && box.current) box.current.scrollTop = box.current.scrollHeight; }, [said.lines.length, said.lines.at(-1)]);
  return html`${said.fraction != null ? html`<div class="bar"><progress max="1" value=${said.fraction} aria-label="Progress"></progress> <span class="faint">${Math.round(said.fraction * 100)} % ${said.note ?? ''}</span></div>` : null}
    ${said.hasGap ? html`<p class="faint">The newest lines; the whole comes when the step has ended.</p>` : null}
    ${said.lines.length ? html`<pre class="live" tabindex="0" aria-label="Output so far" ref=${box} onScroll=${() => { const { scrollTop, scrollHeight, clientHeight } = box.current; stay.current = scrollTop + clientHeight > scrollHeight - 24; }}>${said.lines.map(([text, isError]) => html`<span class=${isError ? 'err' : ''}>${`${text}\n`}</span>`)}</pre>` : null}`;
}

/** What runs now, but the step that is open, each with its last line. */
export function Now({ said, pick, but }) {
  const running = [...(said ?? [])].filter(([path, step]) => step.isRunning && path !== but);
  return running.length === 0 ? null : html`<section class="now" aria-label="Under way">${running.slice(0, 12).map(([path, step]) => html`<button key=${path} onClick=${() => pick(path)}>
    <b class="path">${path}</b>${step.attempt > 1 ? html` <span class="faint">attempt ${step.attempt}</span>` : null}${step.fraction != null ? html` <span class="faint">${Math.round(step.fraction * 100)} %</span>` : null}
    <span class="last">${step.lines.at(-1)?.[0] || '…'}</span></button>`)}${running.length > 12 ? html`<span class="faint">and ${running.length - 12} more</span>` : null}</section>`;
}
