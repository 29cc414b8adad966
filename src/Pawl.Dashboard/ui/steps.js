// The steps of a run, of which there may be thousands: read once, then only what is new.
const under = path => path.split(/[/[]/, 1)[0];

/** For `useLive`: asks for the steps that have a record behind those that are here. */
export const growing = {
  path: (path, had) => had ? `${path}?since=${had.at}` : path,
  next: (had, value) => value.whole ? value : { ...value, steps: merged(had.steps, value.steps) },
};

// A new step is below one of the definition, and comes behind all that are.
function merged(known, changed) {
  const byPath = new Map(changed.map(step => [step.path, step]));
  const steps = known.map(step => {
    const newer = byPath.get(step.path);
    byPath.delete(step.path);
    return newer ?? step;
  });
  for (const [top, added] of Map.groupBy(byPath.values(), step => under(step.path))) steps.splice(steps.findLastIndex(step => under(step.path) === top) + 1, 0, ...added);
  return steps;
}

/** What was really tried; a step that was passed over has a record, and no attempt. */
export const tries = step => step.attempts.filter(attempt => attempt.status !== 'skipped');

export const took = step => tries(step).reduce((sum, attempt) => sum + attempt.duration, 0);

/** The steps of the definition; what is below one belongs to it. */
export const top = steps => steps.filter(step => !/[/[]/.test(step.path));

export const stateOfStep = step => step.cause === 'blocked' ? 'blocked' : step.status ?? 'pending';

/** The steps that took longest from the beginning to the end, each behind one that it needs. */
export function critical(steps) {
  const byId = new Map(steps.map(step => [step.path, step])), time = new Map(), before = new Map();
  for (const step of inOrder(steps, byId)) {
    const slowest = step.needs.reduce((most, id) => (time.get(id) ?? -1) > (time.get(most) ?? -1) ? id : most, null);
    before.set(step.path, slowest);
    time.set(step.path, took(step) + (time.get(slowest) ?? 0));
  }
  const path = [];
  let last = steps.reduce((most, step) => most === null || time.get(step.path) > time.get(most) ? step.path : most, null);
  for (; last; last = before.get(last)) path.unshift(last);
  return path;
}

/** Every step behind those that it needs; without recursion, for a chain may be long. */
export function inOrder(nodes, byId = new Map(nodes.map(node => [node.path, node]))) {
  const waits = new Map(), behind = new Map(), ready = [];
  for (const node of nodes) {
    const needs = node.needs.filter(id => byId.has(id));
    waits.set(node.path, needs.length);
    for (const id of needs) behind.has(id) ? behind.get(id).push(node) : behind.set(id, [node]);
    if (needs.length === 0) ready.push(node);
  }
  for (let i = 0; i < ready.length; i++)
    for (const node of behind.get(ready[i].path) ?? []) {
      waits.set(node.path, waits.get(node.path) - 1);
      if (waits.get(node.path) === 0) ready.push(node);
    }
  return ready;
}
