import { readFileSync } from 'node:fs';

/** The module that a page begins with, and what the browser is told to fetch along with it. */
function initialModules() {
  const page = readFileSync(new URL('dist/index.html', import.meta.url), 'utf8');
  return Array.from(page.matchAll(/\/(assets\/[^"]+\.js)"/g), ([, file]) => `dist/${file}`);
}

export default [
  { name: 'initial JavaScript', path: initialModules(), limit: '200 kB', gzip: true },
  {
    name: 'Markdown and highlighting (loaded when idle)',
    path: 'dist/assets/renderer-*.js',
    limit: '230 kB',
    gzip: true,
  },
];
