import { MessageSquareText, PencilLine, RefreshCw, ThumbsDown, ThumbsUp } from 'lucide-react';
import { useRef, useState } from 'react';
import type { Message } from '@/api/generated';
import { Button, IconButton } from '@/components/ui/button';
import { CopyButton } from '@/components/ui/copy-button';
import { toast } from '@/components/ui/toaster';
import { cn } from '@/lib/cn';
import { deferred, useDeferred } from '@/lib/deferred';
import { type Rating, rated, summaryOf } from './feedback-tags';
import { useFeedback } from './use-feedback';

const correctionEditor = deferred(() =>
  import('./correction-editor').then((module) => module.CorrectionEditor),
);
const feedbackForm = deferred(() => import('./feedback-form').then((module) => module.FeedbackForm));

interface AnswerActionsProps {
  message: Message;
  onCopied: () => void;
  onRegenerate?: (answer: Message) => void;
}

/** Copy, ask for another one, rate, correct. What one says about a rating opens below. */
export function AnswerActions({ message, onCopied, onRegenerate }: AnswerActionsProps) {
  const feedback = useFeedback(message);
  const [editing, setEditing] = useState(false);
  const [telling, setTelling] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const CorrectionEditor = useDeferred(correctionEditor, editing);
  const FeedbackForm = useDeferred(feedbackForm, telling);
  const said = message.feedback;
  const rating = said?.rating ?? null;
  const correction = said?.correction ?? null;

  const rate = (value: Rating) => {
    setTelling(rating !== value);
    if (rating !== value) feedback.mutate(rated(said, value));
    else {
      const { tags, comment } = said ?? { tags: [], comment: null };
      feedback.mutate({ rating: null, tags: [], comment: null });
      toast('Your rating was taken back.', {
        name: 'Undo',
        run: () => feedback.mutate({ rating: value, tags, comment }),
      });
    }
  };
  const close = () => {
    setTelling(false);
    opener.current?.focus();
  };

  return (
    <>
      <div className="-ml-2 flex flex-wrap items-center gap-0.5">
        <CopyButton label="Copy answer" text={message.content} onCopied={onCopied} />
        {onRegenerate && (
          <IconButton label="Regenerate" onClick={() => onRegenerate(message)}>
            <RefreshCw aria-hidden />
          </IconButton>
        )}
        <IconButton label="Good answer" aria-pressed={rating === 1} onClick={() => rate(1)}>
          <ThumbsUp aria-hidden className={cn(rating === 1 && 'fill-primary/25 text-primary')} />
        </IconButton>
        <IconButton label="Bad answer" aria-pressed={rating === -1} onClick={() => rate(-1)}>
          <ThumbsDown aria-hidden className={cn(rating === -1 && 'fill-destructive/25 text-destructive')} />
        </IconButton>
        {said && rating && (
          <Button
            ref={opener}
            variant="ghost"
            size="sm"
            aria-expanded={telling}
            onClick={() => setTelling(!telling)}
          >
            <MessageSquareText aria-hidden />
            {summaryOf(said) ?? 'Say why'}
          </Button>
        )}
        <Button
          variant="ghost"
          size="sm"
          className={cn(correction && 'text-primary')}
          onClick={() => setEditing(true)}
        >
          <PencilLine aria-hidden />
          {correction ? 'Corrected' : 'Correct'}
        </Button>
      </div>
      {FeedbackForm && telling && said && rating && (
        <FeedbackForm
          key={rating}
          rating={rating}
          feedback={said}
          saving={feedback.isPending}
          onSave={(change) => feedback.mutate(change, { onSuccess: close })}
          onCorrect={() => setEditing(true)}
          onClose={close}
        />
      )}
      {CorrectionEditor && editing && (
        <CorrectionEditor
          text={correction ?? message.content}
          corrected={correction !== null}
          onSave={(text) => feedback.mutateAsync({ correction: text })}
          onClose={() => setEditing(false)}
        />
      )}
    </>
  );
}
