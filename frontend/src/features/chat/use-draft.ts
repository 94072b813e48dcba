import { useCallback, useState } from 'react';
import { STORAGE_KEYS } from '@/config/app';
import { readStored, writeStored } from '@/lib/storage';

interface Draft {
  draft: string;
  setDraft: (text: string) => void;
  /** Forgets the draft once it has been sent; one that has since become another stays. */
  clearDraft: (sent: string) => void;
}

const SCOPES = ['tab', 'browser'] as const;

/**
 * What is being typed in a conversation; it outlives reloads, failed sends and signing in again. Each tab keeps its own,
 * and the browser the newest, for the next tab.
 */
export function useDraft(conversationId: string | null): Draft {
  const key = STORAGE_KEYS.draft(conversationId);
  const [draft, setState] = useState(() => readStored(key, 'tab') ?? readStored(key) ?? '');
  const setDraft = useCallback(
    (text: string) => {
      setState(text);
      for (const scope of SCOPES) writeStored(key, text, scope);
    },
    [key],
  );
  const clearDraft = useCallback(
    (sent: string) => {
      for (const scope of SCOPES) if (readStored(key, scope) === sent) writeStored(key, null, scope);
      setState((current) => (current === sent ? '' : current));
    },
    [key],
  );
  return { draft, setDraft, clearDraft };
}
