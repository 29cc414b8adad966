// What belongs together in a picture of many steps: those that stand side by side, chains, and what is left by its place from left to right.
import { inOrder } from './steps.js';

// So many are drawn one by one; so many boxes a picture has at most; so many parts a box is opened into.
const few = 60, most = 150, parts = 50;

// Names that differ in their numbers alone.
const node = (path, needs, members, step = null) => ({ path, needs, members, step, stem: path.replace(/\d+/g, '#') });

const named = members => members.length === 1 ? members[0].path : `${members[0].path} … ${members.at(-1).path}`;

/** Steps of one level → boxes { path, needs, members, step }: a step, or several steps under one name. */
export function grouped(steps) {
  const ids = new Set(steps.map(step => step.path));
  let nodes = steps.map(step => node(step.path, step.needs.filter(id => ids.has(id)), null, step));
  // First what is named alike; if that is not enough, any.
  for (const alike of [true, false])
    for (let before = Infinity; nodes.length > few && nodes.length < before;) {
      before = nodes.length;
      nodes = joined(nodes, sideBySide(nodes, alike));
      nodes = joined(nodes, chains(nodes, alike));
    }
  return nodes.length > most ? joined(nodes, levels(nodes)) : nodes;
}

/** Members that are too many to be opened at once, in parts. */
export function inParts(members) {
  if (members.length <= parts) return members;
  let size = parts;
  while (members.length / size > parts) size *= parts;
  return Array.from({ length: Math.ceil(members.length / size) }, (_, i) => members.slice(i * size, (i + 1) * size)).map(part => part.length === 1 ? part[0] : node(named(part), [], part));
}

/** All steps under a box's name, those below them aside. */
export const stepsOf = box => box.step ? [box.step] : box.members.flatMap(stepsOf);

function dependents(nodes) {
  const behind = new Map(nodes.map(one => [one.path, []]));
  for (const one of nodes) for (const need of one.needs) behind.get(need).push(one.path);
  return behind;
}

// Those that need the same and that the same need.
function sideBySide(nodes, alike) {
  const behind = dependents(nodes), key = paths => [...paths].sort().join('\n');
  return [...Map.groupBy(nodes, one => `${alike ? one.stem : ''}\n\n${key(one.needs)}\n\n${key(behind.get(one.path))}`).values()];
}

// Those that follow one another, with nothing else before or behind.
function chains(nodes, alike) {
  const behind = dependents(nodes), byPath = new Map(nodes.map(one => [one.path, one])), found = [];
  const next = one => {
    const only = behind.get(one.path).length === 1 ? byPath.get(behind.get(one.path)[0]) : null;
    return only?.needs.length === 1 && (!alike || only.stem === one.stem) ? only : null;
  };
  const follows = new Set(nodes.map(next));
  for (const one of nodes) {
    if (follows.has(one)) continue;
    const chain = [];
    for (let link = one; link; link = next(link)) chain.push(link);
    found.push(chain);
  }
  return found;
}

// Nothing in common: by the longest way from the beginning.
function levels(nodes) {
  const level = new Map(), byPath = new Map(nodes.map(one => [one.path, one]));
  let last = 0;
  for (const one of inOrder(nodes, byPath)) {
    level.set(one.path, one.needs.reduce((after, id) => Math.max(after, 1 + level.get(id)), 0));
    last = Math.max(last, level.get(one.path));
  }
  const wide = Math.ceil((1 + last) / most);
  return [...Map.groupBy(nodes, one => Math.floor(level.get(one.path) / wide)).values()];
}

// Each group of three and more becomes one box.
function joined(nodes, groups) {
  const place = new Map();
  const boxes = groups.flatMap(group => {
    const made = group.length < 3 ? group : [node(named(group), [...new Set(group.flatMap(one => one.needs))], group)];
    for (const one of group) place.set(one.path, made.length === 1 ? made[0].path : one.path);
    return made;
  });
  return boxes.map(box => ({ ...box, needs: [...new Set(box.needs.map(id => place.get(id)))].filter(id => id !== box.path) }));
}
