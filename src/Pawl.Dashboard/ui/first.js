// What the first page shows is asked for while the page itself is still on its way.
window.early = {};
if (/^(#\/?(runs)?)?$/.test(location.hash))
  for (const path of ['/info', '/counts', '/runs?limit=50&']) early[path] = fetch(`api/v1${path}`, { credentials: 'same-origin' });
