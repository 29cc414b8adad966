// What is shown first is asked for while the page itself is still on its way. It runs before the page does (defer), so that none of it is found later, when it is old.
window.early = {};
{
  const run = location.hash.match(/^#\/run\/([\w.-]+)/)?.[1];
  if (run) import('./run.js');
  for (const path of run ? ['/info', `/runs/${run}`] : /^(#\/?(runs)?)?$/.test(location.hash) ? ['/info', '/counts', '/runs?limit=50&'] : ['/info'])
    early[path] = fetch(`api/v1${path}`, { credentials: 'same-origin' });
}
