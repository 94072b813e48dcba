import { useEffect, useRef, useState } from 'react';
import { flushSync } from 'react-dom';

/** For each unit of time that showing a text took, so many belong to whatever else the page has to do. */
const REST = 3;

/**
 * A text that grows, no more often than the page can show it: the longer it took the last time, the later it comes again.
 * One that no longer grows is given at once.
 */
export function usePaced(text: string, growing: boolean): string {
  const [shown, setShown] = useState(text);
  const restUntil = useRef(0);

  useEffect(() => {
    if (!growing || shown === text) return;
    const show = () => {
      const began = performance.now();
      flushSync(() => setShown(text));
      const now = performance.now();
      restUntil.current = now + REST * (now - began);
    };
    const timer = setTimeout(show, Math.max(0, restUntil.current - performance.now()));
    return () => clearTimeout(timer);
  }, [text, growing, shown]);

  return growing ? shown : text;
}
