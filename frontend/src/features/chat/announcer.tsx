import { useEffect, useRef, useState } from 'react';
import { announce } from './announcements';

interface AnnouncerProps {
  text: string;
  /** Whether the answer is still growing. */
  active: boolean;
}

/** Reads a growing answer out, sentence by sentence. An answer that was finished when the page opened stays silent. */
export function Announcer({ text, active }: AnnouncerProps) {
  const spoken = useRef(active ? 0 : text.length);
  const wasActive = useRef(active);
  const [sentence, setSentence] = useState('');

  useEffect(() => {
    if (!active && !wasActive.current) return;
    const { say, upTo } = announce(text, spoken.current, !active);
    spoken.current = upTo;
    wasActive.current = active;
    if (say) setSentence(say);
  }, [text, active]);

  return (
    <div aria-live="polite" aria-atomic="true" className="sr-only">
      {sentence}
    </div>
  );
}
