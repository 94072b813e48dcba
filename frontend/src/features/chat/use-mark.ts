import { type RefObject, useLayoutEffect, useState } from 'react';

const MARKED_MS = 2000;

/** Brings a message into view once it is there, and says for two seconds which it is. */
export function useMark(
  area: RefObject<HTMLElement | null>,
  wanted: string | null,
  there: boolean,
  onShown: () => void,
): string | null {
  const [marked, setMarked] = useState<string | null>(null);
  useLayoutEffect(() => {
    if (!wanted || !there) return;
    const message = area.current?.querySelector<HTMLElement>(`[data-message="${CSS.escape(wanted)}"]`);
    message?.scrollIntoView({ block: 'center' });
    message?.focus({ preventScroll: true });
    setMarked(wanted);
    onShown();
  }, [area, wanted, there, onShown]);
  useLayoutEffect(() => {
    if (!marked) return;
    const timer = setTimeout(() => setMarked(null), MARKED_MS);
    return () => clearTimeout(timer);
  }, [marked]);
  return marked;
}
