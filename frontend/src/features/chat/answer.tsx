import { ArrowRight, RotateCcw } from 'lucide-react';
import { memo, useRef } from 'react';
import type { Message } from '@/api/generated';
import { Markdown } from '@/components/markdown/markdown';
import { Button } from '@/components/ui/button';
import { Announcer } from './announcer';
import { AnswerActions } from './answer-actions';
import { AnswerFigures } from './answer-figures';
import { StageLine } from './stage-line';
import { isRetryable, isUnfinished, outcomeSentence } from './stages';
import { isActive } from './thread';
import { useCopied } from './use-copied';
import { useGeneration } from './use-generation';
import { useTabMark } from './use-tab-mark';

interface AnswerProps {
  message: Message;
  /** Asks for another answer beside this one; absent where that cannot be. */
  onRetry?: (answer: Message) => void;
  /** Lets it go on where it broke off; absent where that cannot be. */
  onContinue?: (answer: Message) => void;
}

/** One answer, from queued to finished. Memoised: a token renders the one answer that it belongs to. */
export const Answer = memo(function Answer({ message: stored, onRetry, onContinue }: AnswerProps) {
  const stream = useGeneration(stored);
  // The stored message may lag behind a stream that has ended.
  const message = (isActive(stored) && stream.message) || stored;
  const active = isActive(message);
  const article = useRef<HTMLElement>(null);
  const onCopied = useCopied(article, message.id);
  useTabMark(stream, active);
  const text = active ? stream.text : message.content;
  return (
    <article
      ref={article}
      data-testid="answer"
      data-status={message.status}
      aria-label="Answer"
      aria-busy={active}
    >
      {text && <Markdown text={text} streaming={active} />}
      {active ? (
        <StageLine stream={stream} />
      ) : (
        <Finished message={message} onCopied={onCopied} onRetry={onRetry} onContinue={onContinue} />
      )}
      <Announcer text={text} active={active} />
    </article>
  );
});

function Finished({ message, onCopied, onRetry, onContinue }: AnswerProps & { onCopied: () => void }) {
  const retryable = isRetryable(message);
  const outcome = outcomeSentence(message);
  return (
    <>
      {outcome && (
        <div className="mt-3 flex flex-wrap items-center gap-x-3 gap-y-1 text-muted-foreground text-sm">
          <span data-testid="outcome" className={message.status === 'error' ? 'text-destructive' : undefined}>
            {outcome}
          </span>
          {onContinue && isUnfinished(message) && (
            <Button size="sm" onClick={() => onContinue(message)}>
              <ArrowRight aria-hidden />
              Continue
            </Button>
          )}
          {onRetry && retryable && (
            <Button size="sm" onClick={() => onRetry(message)}>
              <RotateCcw aria-hidden />
              Try again
            </Button>
          )}
        </div>
      )}
      <div className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-1">
        {message.content && (
          <AnswerActions
            message={message}
            onCopied={onCopied}
            onRegenerate={retryable ? undefined : onRetry}
          />
        )}
        <AnswerFigures message={message} />
      </div>
    </>
  );
}
