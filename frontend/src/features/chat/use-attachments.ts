import { useCallback, useEffect, useRef, useState } from 'react';
import type { NewAttachment } from '@/api/generated';
import { randomId } from '@/lib/ids';
import type { Attached } from './attachments';

export interface Attachments {
  files: Attached[];
  /** A sentence for each file that was not taken lately. */
  refused: string[];
  add: (files: File[]) => void;
  remove: (id: string) => void;
  /** Forgets these, once they have been sent. */
  clear: (sent: readonly NewAttachment[]) => void;
}

/** The files of a draft; like its text they outlive a reload, in this browser. */
export function useAttachments(conversationId: string | null): Attachments {
  const key = conversationId ?? 'new';
  const [files, setFiles] = useState<Attached[]>([]);
  const [refused, setRefused] = useState<string[]>([]);
  const current = useRef(files);

  const change = useCallback(
    (to: (old: Attached[]) => Attached[]) => {
      current.current = to(current.current);
      setFiles(current.current);
      void import('./attachment-store').then(({ keepAttached }) => keepAttached(key, current.current));
    },
    [key],
  );
  useEffect(() => {
    let left = false;
    void import('./attachment-store')
      .then(({ loadAttached }) => loadAttached(key))
      .then((kept) => {
        if (left || kept.length === 0 || current.current.length > 0) return;
        current.current = kept;
        setFiles(kept);
      });
    return () => {
      left = true;
    };
  }, [key]);

  const add = useCallback(
    async (incoming: File[]) => {
      const { takeFiles } = await import('./attachments');
      const taken = await takeFiles(current.current, incoming, randomId);
      setRefused(taken.refused);
      change(() => taken.files);
    },
    [change],
  );
  const remove = useCallback(
    (id: string) => {
      setRefused([]);
      change((old) => old.filter((file) => file.id !== id));
    },
    [change],
  );
  const clear = useCallback(
    (sent: readonly NewAttachment[]) => {
      setRefused([]);
      change((old) => old.filter((file) => !sent.includes(file)));
    },
    [change],
  );
  return { files, refused, add: (incoming) => void add(incoming), remove, clear };
}
