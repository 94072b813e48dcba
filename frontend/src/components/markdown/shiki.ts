/**
 * Stands in for the package `shiki` (see vite.config.ts): the languages that a code assistant meets, one lazy chunk each,
 * the two themes we use, and no WebAssembly. Other languages show as plain text.
 */
import { createBundledHighlighter } from 'shiki/core';
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript';

export const bundledLanguages = {
  bash: () => import('shiki/langs/bash.mjs'),
  c: () => import('shiki/langs/c.mjs'),
  cpp: () => import('shiki/langs/cpp.mjs'),
  csharp: () => import('shiki/langs/csharp.mjs'),
  css: () => import('shiki/langs/css.mjs'),
  diff: () => import('shiki/langs/diff.mjs'),
  docker: () => import('shiki/langs/docker.mjs'),
  go: () => import('shiki/langs/go.mjs'),
  html: () => import('shiki/langs/html.mjs'),
  ini: () => import('shiki/langs/ini.mjs'),
  java: () => import('shiki/langs/java.mjs'),
  javascript: () => import('shiki/langs/javascript.mjs'),
  json: () => import('shiki/langs/json.mjs'),
  jsx: () => import('shiki/langs/jsx.mjs'),
  kotlin: () => import('shiki/langs/kotlin.mjs'),
  make: () => import('shiki/langs/make.mjs'),
  markdown: () => import('shiki/langs/markdown.mjs'),
  php: () => import('shiki/langs/php.mjs'),
  powershell: () => import('shiki/langs/powershell.mjs'),
  python: () => import('shiki/langs/python.mjs'),
  ruby: () => import('shiki/langs/ruby.mjs'),
  rust: () => import('shiki/langs/rust.mjs'),
  scala: () => import('shiki/langs/scala.mjs'),
  sql: () => import('shiki/langs/sql.mjs'),
  swift: () => import('shiki/langs/swift.mjs'),
  toml: () => import('shiki/langs/toml.mjs'),
  tsx: () => import('shiki/langs/tsx.mjs'),
  typescript: () => import('shiki/langs/typescript.mjs'),
  xml: () => import('shiki/langs/xml.mjs'),
  yaml: () => import('shiki/langs/yaml.mjs'),
};

const aliases: Partial<Record<keyof typeof bundledLanguages, string[]>> = {
  bash: ['sh', 'shell', 'zsh', 'console', 'shellscript'],
  cpp: ['c++', 'cc', 'hpp'],
  csharp: ['c#', 'cs'],
  docker: ['dockerfile'],
  javascript: ['js', 'mjs', 'cjs'],
  kotlin: ['kt'],
  make: ['makefile'],
  markdown: ['md'],
  powershell: ['ps1', 'pwsh'],
  python: ['py', 'python3', 'pycon'],
  ruby: ['rb'],
  rust: ['rs'],
  typescript: ['ts'],
  yaml: ['yml'],
};

/** Names by which a fenced block may ask for a language. */
export const bundledLanguagesInfo = Object.entries(aliases).map(([id, names]) => ({ id, aliases: names }));

export const createHighlighter = createBundledHighlighter({
  langs: bundledLanguages,
  themes: {
    'github-light-high-contrast': () => import('shiki/themes/github-light-high-contrast.mjs'),
    'github-dark': () => import('shiki/themes/github-dark.mjs'),
  },
  engine: () => createJavaScriptRegexEngine({ forgiving: true }),
});
