import { type RefObject, useCallback, useEffect, useRef } from 'react';
import { answerCopied } from '@/api/generated';

/** The renderer's own button on a block of code. */
const COPY_CODE = '[data-streamdown="code-block-actions"] button';

/**
 * Tells the server, once, that an answer or a part of it was copied. Returns what to call when all of it is. Nobody waits
 * for it, and nobody has to know when it fails.
 */
export function useCopied(answer: RefObject<HTMLElement | null>, messageId: string): () => void {
  const told = useRef(false);
  const tell = useCallback(() => {
    if (told.current) return;
    told.current = true;
    answerCopied({ path: { message_id: messageId } }).catch(() => {
      told.current = false;
    });
  }, [messageId]);
  useEffect(() => {
    const element = answer.current;
    const onClick = ({ target }: MouseEvent) => {
      if (target instanceof Element && target.closest(COPY_CODE)) tell();
    };
    element?.addEventListener('copy', tell);
    element?.addEventListener('click', onClick);
    return () => {
      element?.removeEventListener('copy', tell);
      element?.removeEventListener('click', onClick);
    };
  }, [answer, tell]);
  return tell;
}
