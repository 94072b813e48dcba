import { PencilLine, RefreshCw, ThumbsDown, ThumbsUp } from 'lucide-react';
import { useState } from 'react';
import type { Message } from '@/api/generated';
import { Button, IconButton } from '@/components/ui/button';
import { CopyButton } from '@/components/ui/copy-button';
import { cn } from '@/lib/cn';
import { CorrectionEditor } from './correction-editor';
import { useFeedback } from './use-feedback';

interface AnswerActionsProps {
  message: Message;
  onRegenerate?: (answer: Message) => void;
}

/** Copy, ask for another one, rate, correct. */
export function AnswerActions({ message, onRegenerate }: AnswerActionsProps) {
  const feedback = useFeedback(message);
  const [editing, setEditing] = useState(false);
  const rating = message.feedback?.rating ?? null;
  const correction = message.feedback?.correction ?? null;
  const rate = (value: 1 | -1) => feedback.mutate({ rating: rating === value ? null : value });

  return (
    <div className="-ml-2 flex items-center gap-0.5">
      <CopyButton label="Copy answer" text={message.content} />
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
      <Button
        variant="ghost"
        size="sm"
        className={cn(correction && 'text-primary')}
        onClick={() => setEditing(true)}
      >
        <PencilLine aria-hidden />
        {correction ? 'Corrected' : 'Correct'}
      </Button>
      {editing && (
        <CorrectionEditor
          text={correction ?? message.content}
          corrected={correction !== null}
          onSave={(text) => feedback.mutateAsync({ correction: text })}
          onClose={() => setEditing(false)}
        />
      )}
    </div>
  );
}
