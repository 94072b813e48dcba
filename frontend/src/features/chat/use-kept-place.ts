import { type RefObject, useCallback, useLayoutEffect, useRef } from 'react';

interface Place {
  id: string;
  top: number;
}

/**
 * Keeps what is being read where it is while messages are put before it. Returns what to call when the reader scrolls.
 * Messages carry their id as `data-message`.
 */
export function useKeptPlace(area: RefObject<HTMLElement | null>, firstId: string | undefined): () => void {
  const place = useRef<Place | null>(null);
  const note = useCallback(() => {
    const first = area.current?.querySelector<HTMLElement>('[data-message]');
    const id = first?.dataset.message;
    place.current = first && id ? { id, top: first.getBoundingClientRect().top } : null;
  }, [area]);

  useLayoutEffect(() => {
    const known = place.current;
    const box = area.current;
    if (box && known && known.id !== firstId) {
      const moved = box.querySelector(`[data-message="${CSS.escape(known.id)}"]`);
      if (moved) box.scrollTop += moved.getBoundingClientRect().top - known.top;
    }
    note();
  });
  return note;
}
