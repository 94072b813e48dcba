import type { Attached } from './attachments';

const DATABASE = 'assistant.drafts';
const STORE = 'attachments';

/** The files of a draft that was begun before, in this browser; none where it keeps nothing. */
export async function loadAttached(draft: string): Promise<Attached[]> {
  try {
    const found = await within<Attached[] | undefined>('readonly', (store) => store.get(draft));
    return found ?? [];
  } catch {
    return [];
  }
}

/** Keeps the files of a draft over a reload. A browser that cannot keep them forgets them then. */
export async function keepAttached(draft: string, files: Attached[]): Promise<void> {
  try {
    await within('readwrite', (store) => (files.length > 0 ? store.put(files, draft) : store.delete(draft)));
  } catch {
    // Storage is blocked or full: they live on in memory.
  }
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await opened();
  try {
    return await settled<T>(work(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

function settled<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
  });
}
