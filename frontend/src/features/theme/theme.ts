import { useSyncExternalStore } from 'react';
import { STORAGE_KEYS } from '@/config/app';
import { readStored, writeStored } from '@/lib/storage';

export type Theme = 'system' | 'light' | 'dark';

const listeners = new Set<() => void>();

function current(): Theme {
  const stored = readStored(STORAGE_KEYS.theme);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

function prefersDark(): MediaQueryList {
  return window.matchMedia('(prefers-color-scheme: dark)');
}

/** Colours the page; public/theme.js does the same before the first paint. */
function apply(): void {
  const theme = current();
  document.documentElement.classList.toggle(
    'dark',
    theme === 'dark' || (theme === 'system' && prefersDark().matches),
  );
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function setTheme(theme: Theme): void {
  writeStored(STORAGE_KEYS.theme, theme === 'system' ? null : theme);
  apply();
}

/** Follows the system's scheme, and choices made in other tabs, for as long as the page lives. */
export function watchTheme(): void {
  prefersDark().addEventListener('change', apply);
  window.addEventListener('storage', (event) => event.key === STORAGE_KEYS.theme && apply());
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, current);
}
