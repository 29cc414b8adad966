// One workflow: how its runs go, what its versions changed.
import { html, useCallback } from './vendor/preact-htm.js';
import { at, to, open, settle, useLive, Loaded, Nothing, State, Text, Time, runLink, duration } from './lib.js';
import { Durations } from './chart.js';
import { DefinitionDiff } from './compare.js';

export function WorkflowPage({ name, query, info }) {
  const [value, problem] = useLive(`/workflows/${at([name])}`);
  const look = useCallback(id => open(to(['run', id])), []);
  return html`<p class="crumbs"><a href="#/workflows">Workflows</a></p><div class="head"><h1>${name}</h1>
      ${info?.read_only ? null : html`<a class="button main" href=${to(['start'], { workflow: name })}>Start …</a>`}<a class="button" href=${to(['runs'], { workflow: name })}>Its runs</a></div>
    <${Loaded} value=${value} problem=${problem}>${() => value.all.runs === 0 ? html`<${Nothing} title="It has no runs in this store."><//>` : html`
      <dl class="facts">
        <div><dt>Runs${value.is_cut ? ' (the newest)' : ''}</dt><dd>${value.all.runs}</dd></div>
        <div><dt>Succeeded</dt><dd>${value.all.success == null ? 'none has ended' : `${Math.round(value.all.success * 1000) / 10} %`}</dd></div>
        ${[['p50', 'Half took at most'], ['p90', '90 % took at most'], ['p95', '95 %'], ['p99', '99 %'], ['longest', 'The longest']].map(([part, title]) => value.all[part] == null ? null : html`<div><dt>${title}</dt><dd>${duration(value.all[part])}</dd></div>`)}
      </dl>
      ${value.recent.some(run => run.took != null) ? html`<h2>The newest ${value.recent.length} runs</h2><${Durations} runs=${value.recent} open=${look} />` : null}
      <details><summary>The same as a table</summary><div class="scroll tall" tabindex="0"><table><thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col" class="num">Took</th><th scope="col" class="num">Version</th><th scope="col">Created</th></tr></thead>
        <tbody>${[...value.recent].reverse().map(run => html`<tr key=${run.run_id}><td>${runLink(run.run_id)}</td><td><${State} of=${run.status} /></td><td class="num">${duration(run.took)}</td><td class="num">${run.version}</td><td><${Time} of=${run.created_at} /></td></tr>`)}</tbody></table></div></details>
      ${value.failures.length ? html`<h2>Where it fails</h2><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Step</th><th scope="col" class="num">Runs</th><th scope="col">The last</th><th scope="col">Why</th></tr></thead>
        <tbody>${value.failures.map(failure => html`<tr key=${failure.step}><td class="path">${failure.step}</td><td class="num">${failure.runs}</td><td>${runLink(failure.last)}</td><td>${failure.error?.slice(0, 200)}</td></tr>`)}</tbody></table></div>` : null}
      <h2>Versions</h2><div class="scroll" tabindex="0"><table><thead><tr><th scope="col" class="num">Version</th><th scope="col" class="num">Runs</th><th scope="col" class="num">Succeeded</th><th scope="col" class="num">Half took</th><th scope="col" class="num">95 % took</th><th scope="col">First</th><th scope="col">Last</th><th scope="col">For example</th></tr></thead>
        <tbody>${value.versions.map(one => html`<tr key=${one.version}><td class="num">${one.version}</td><td class="num">${one.figures.runs}</td><td class="num">${one.figures.success == null ? '' : `${Math.round(one.figures.success * 100)} %`}</td><td class="num">${duration(one.figures.p50)}</td><td class="num">${duration(one.figures.p95)}</td>
          <td><${Time} of=${one.first} /></td><td><${Time} of=${one.last} /></td><td>${runLink(one.run_id)}</td></tr>`)}</tbody></table></div>
      <${Versions} name=${name} versions=${value.versions} query=${query} />`}<//>`;
}

function Versions({ name, versions, query }) {
  const find = (key, fallback) => versions.find(one => `${one.version}` === query.get(key)) ?? fallback;
  const shown = find('version', versions[0]), from = find('from', versions[1]), till = find('to', versions[0]);
  const choose = (key, label, one) => html`<label for="version-${key}">${label}</label> <select id="version-${key}" value=${`${one.version}`} onChange=${event => settle(to(['workflow', name], { ...Object.fromEntries(query), [key]: event.target.value }))}>${versions.map(each => html`<option value=${`${each.version}`}>version ${each.version}</option>`)}</select>`;
  return html`<h2>Definition</h2><div class="bar">${choose('version', 'Of', shown)}</div>
    ${shown.has_definition ? html`<${Definition} key=${shown.run_id} id=${shown.run_id} />` : html`<p class="faint">A workflow in code is in the program that makes its runs: they do not carry its text.</p>`}
    ${versions.length < 2 ? null : html`<h2>What changed</h2><div class="bar">${choose('from', 'From', from)} ${choose('to', 'to', till)}</div>
    ${from.version === till.version ? html`<p class="faint">Choose two versions.</p>` : !from.has_definition || !till.has_definition ? html`<p class="faint">The runs of a workflow in code do not carry its text.</p>` : html`<${DefinitionDiff} left=${from.run_id} right=${till.run_id} />`}`}`;
}

function Definition({ id }) {
  const [value, problem] = useLive(`/runs/${at([id])}/definition`, null);
  return html`<${Loaded} value=${value} problem=${problem}>${() => value.definition ? html`<p class="faint path">${value.definition.path}</p><${Text} value=${value.definition.text} />` : html`<p class="faint">Run ${runLink(id)} does not carry its text.</p>`}<//>`;
}
