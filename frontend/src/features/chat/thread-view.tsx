import { useQueryClient } from '@tanstack/react-query';
import { ArrowDown } from 'lucide-react';
import { useCallback, useDeferredValue, useMemo, useState } from 'react';
import { useStickToBottom } from 'use-stick-to-bottom';
import type { Message } from '@/api/generated';
import { IconButton } from '@/components/ui/button';
import { cn } from '@/lib/cn';
import { MoreMessages } from './more-messages';
import { OpenContest } from './open-contest';
import { showBranch } from './queries';
import type { Editing } from './question';
import { comparisonsOf, familiesOf, type Loaded } from './thread';
import { ThreadMessage } from './thread-message';
import { useKeptPlace } from './use-kept-place';
import { useMark } from './use-mark';
import { usePages } from './use-pages';

/**
 * Messages near the end are drawn first, so that a long conversation shows its end soon, and always laid out, so that the
 * view can stay there.
 */
const NEAR_END = 8;

/** This near to the top, in pixels, what comes before is loaded. */
const NEAR_TOP = 600;

interface ThreadViewProps {
  conversation: Loaded;
  thread: Message[];
  /** A message to bring into view and to mark. */
  wanted: string | null;
  onShown: () => void;
  /** Absent while an answer is being made. */
  onRegenerate?: (answerId: string) => void;
  onContinue?: (answerId: string) => void;
  editing: Editing;
}

/** The conversation; stays at its end while an answer grows, unless the reader has scrolled up. */
export function ThreadView({
  conversation,
  thread,
  wanted,
  onShown,
  onRegenerate,
  onContinue,
  editing,
}: ThreadViewProps) {
  const { id, messages, earlier, later } = conversation;
  const client = useQueryClient();
  const [begin] = useState<false | 'instant'>(wanted || later ? false : 'instant');
  const { scrollRef, contentRef, isAtBottom, scrollToBottom, stopScroll } = useStickToBottom({
    initial: begin,
    resize: 'instant',
  });
  const families = useMemo(() => familiesOf(messages), [messages]);
  const comparisons = useMemo(() => comparisonsOf(conversation), [conversation]);
  const pages = usePages(id);
  const whole = useDeferredValue(true, begin === false || thread.length <= NEAR_END);
  const drawn = whole ? thread : thread.slice(-NEAR_END);
  const notePlace = useKeptPlace(scrollRef, drawn[0]?.id);
  const shown = useCallback(() => {
    stopScroll();
    onShown();
  }, [stopScroll, onShown]);
  const isThere = thread.some((message) => message.id === wanted);
  const marked = useMark(scrollRef, wanted, isThere, shown);
  const show = useCallback((messageId: string) => void showBranch(client, id, messageId), [client, id]);
  const retry = useMemo(() => onRegenerate && ((answer: Message) => onRegenerate(answer.id)), [onRegenerate]);
  const goOn = useMemo(() => onContinue && ((answer: Message) => onContinue(answer.id)), [onContinue]);
  const last = later ? undefined : thread.at(-1);

  const onScroll = () => {
    notePlace();
    const top = scrollRef.current?.scrollTop ?? 0;
    if (earlier && top < NEAR_TOP && !pages.earlier.error) pages.earlier.load();
  };

  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scrollRef}
        onScroll={onScroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Conversation"
        className="h-full overflow-y-auto -outline-offset-2"
      >
        <div
          ref={contentRef}
          className={cn(
            'mx-auto flex max-w-[48rem] flex-col gap-7 px-4 pt-6 pb-10 sm:px-6',
            !whole && 'min-h-full justify-end',
          )}
        >
          {whole && earlier && <MoreMessages which="earlier" loading={pages.earlier} />}
          {drawn.map((message, index) => {
            const comparison = comparisons.get(message.parent_id ?? '');
            return comparison && !comparison.closed ? (
              <OpenContest
                key={comparison.id}
                comparison={comparison}
                messages={messages}
                place={message.id}
              />
            ) : (
              <ThreadMessage
                key={message.id}
                message={message}
                family={families.get(message.id)}
                comparison={comparison}
                offscreen={index < drawn.length - NEAR_END && message.id !== marked}
                marked={message.id === marked}
                onShow={show}
                onRetry={retry}
                onContinue={message === last ? goOn : undefined}
                editing={mayEdit(message, editing) ? editing : undefined}
              />
            );
          })}
          {later && <MoreMessages which="later" loading={pages.later} />}
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

/** One question at a time, and none is begun while an answer is being made. */
function mayEdit(message: Message, { id, blocked }: Editing): boolean {
  return message.author === 'user' && (id ? id === message.id : blocked === null);
}
