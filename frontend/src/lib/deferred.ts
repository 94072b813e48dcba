import { useEffect, useState, useSyncExternalStore } from 'react';

/** Code that the first paint does without. */
export interface Deferred<T> {
  fetch: () => Promise<void>;
  /** What was fetched; null until then. */
  now: () => T | null;
  subscribe: (listener: () => void) => () => void;
}

const known: Deferred<unknown>[] = [];

/** Code that is fetched when the page has nothing else to do, or when it is first wanted. */
export function deferred<T>(load: () => Promise<T>): Deferred<T> {
  let code: T | null = null;
  const listeners = new Set<() => void>();
  const part: Deferred<T> = {
    fetch: async () => {
      if (code) return;
      code = await load();
      for (const listener of listeners) listener();
    },
    now: () => code,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  known.push(part);
  return part;
}

/** Fetches all deferred code that the page knows of, so that the first click on it does not wait. */
export async function fetchDeferred(): Promise<void> {
  await Promise.allSettled(known.map((part) => part.fetch()));
}

/** Calls back once the browser is idle. */
export function whenIdle(run: () => void): void {
  // Safari has no idle callbacks.
  if (window.requestIdleCallback) window.requestIdleCallback(run);
  else setTimeout(run, 500);
}

/**
 * Deferred code, null until it is there. Unlike a Suspense boundary it never hides what is shown, and shows what has been
 * fetched already at once. Where it cannot be fetched, the page's error boundary says so.
 */
export function useDeferred<T>(part: Deferred<T>, wanted: boolean): T | null {
  const [failure, setFailure] = useState<{ cause: unknown } | null>(null);
  const code = useSyncExternalStore(part.subscribe, part.now);
  useEffect(() => {
    if (wanted && !code) part.fetch().catch((cause: unknown) => setFailure({ cause }));
  }, [part, wanted, code]);
  if (failure) throw failure.cause;
  return code;
}
