import { useCallback, useState } from 'react';
import { STORAGE_KEYS } from '@/config/app';
import { readStored, writeStored } from '@/lib/storage';

interface Draft {
  draft: string;
  setDraft: (text: string) => void;
  /** Forgets the draft once it has been sent; one that has since become another stays. */
  clearDraft: (sent: string) => void;
}

/** What is being typed in a conversation; it outlives reloads and failed sends. */
export function useDraft(conversationId: string | null): Draft {
  const key = STORAGE_KEYS.draft(conversationId);
  const [draft, setState] = useState(() => readStored(key) ?? '');
  const setDraft = useCallback(
    (text: string) => {
      setState(text);
      writeStored(key, text);
    },
    [key],
  );
  const clearDraft = useCallback(
    (sent: string) => {
      if (readStored(key) === sent) writeStored(key, null);
      setState((current) => (current === sent ? '' : current));
    },
    [key],
  );
  return { draft, setDraft, clearDraft };
}
