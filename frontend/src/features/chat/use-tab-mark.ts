import { useEffect, useState } from 'react';
import { useTitleMark } from '@/lib/use-title';
import { tabMark } from './stages';
import type { StreamState } from './stream';

/** Tells in the tab's title how an answer is doing, and, to who looks elsewhere, that it is done. */
export function useTabMark(stream: StreamState, active: boolean): void {
  const [was, setWas] = useState(active);
  const [unseen, setUnseen] = useState(false);
  if (was !== active) {
    setWas(active);
    setUnseen(was && document.hidden);
  }
  useEffect(() => {
    if (!unseen) return;
    const seen = () => {
      if (!document.hidden) setUnseen(false);
    };
    document.addEventListener('visibilitychange', seen);
    return () => document.removeEventListener('visibilitychange', seen);
  }, [unseen]);
  const done = stream.message && stream.message.status !== 'done' ? '!' : '✓';
  useTitleMark(active ? tabMark(stream) : unseen ? done : null);
}
