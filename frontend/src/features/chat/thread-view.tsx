import { ArrowDown } from 'lucide-react';
import { useCallback } from 'react';
import { useStickToBottom } from 'use-stick-to-bottom';
import type { Message } from '@/api/generated';
import { IconButton } from '@/components/ui/button';
import { Answer } from './answer';
import { Question } from './question';

/** Messages near the end are always laid out, so that the view can stay at the bottom. */
const LAID_OUT = 8;

interface ThreadViewProps {
  thread: Message[];
  onRetry: (question: Message) => void;
}

/** The conversation; stays at its end while an answer grows, unless the reader has scrolled up. */
export function ThreadView({ thread, onRetry }: ThreadViewProps) {
  const { scrollRef, contentRef, isAtBottom, scrollToBottom } = useStickToBottom({
    initial: 'instant',
    resize: 'instant',
  });
  const retry = useCallback(
    (answer: Message) => {
      const question = thread.find((message) => message.id === answer.parent_id);
      if (question) onRetry(question);
    },
    [thread, onRetry],
  );
  const last = thread.at(-1);

  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scrollRef}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Conversation"
        className="h-full overflow-y-auto -outline-offset-2"
      >
        <div ref={contentRef} className="mx-auto flex max-w-[48rem] flex-col gap-7 px-4 pt-6 pb-10 sm:px-6">
          {thread.map((message, index) => (
            <div
              key={message.id}
              className={index < thread.length - LAID_OUT ? 'message-offscreen' : undefined}
            >
              {message.author === 'user' ? (
                <Question message={message} />
              ) : (
                <Answer message={message} onRetry={message === last ? retry : undefined} />
              )}
            </div>
          ))}
        </div>
      </section>
      {!isAtBottom && (
        <IconButton
          label="Go to the end"
          variant="secondary"
          size="icon-lg"
          className="absolute bottom-5 left-1/2 z-10 -translate-x-1/2 rounded-full shadow-card"
          onClick={() => void scrollToBottom()}
        >
          <ArrowDown aria-hidden />
        </IconButton>
      )}
    </div>
  );
}
