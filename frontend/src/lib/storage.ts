/** Web storage that never throws: with storage blocked or full the application works and forgets. */

/** What is kept for this tab alone, through reloads, or for the browser. */
type Scope = 'tab' | 'browser';

const areaOf = (scope: Scope) => (scope === 'tab' ? sessionStorage : localStorage);

export function readStored(key: string, scope: Scope = 'browser'): string | null {
  try {
    return areaOf(scope).getItem(key);
  } catch {
    return null;
  }
}

/** Stores a value; null or an empty string removes it. */
export function writeStored(key: string, value: string | null, scope: Scope = 'browser'): void {
  try {
    if (value) areaOf(scope).setItem(key, value);
    else areaOf(scope).removeItem(key);
  } catch {
    // Nothing to do: the value lives on in memory.
  }
}
