import { memo } from 'react';
import type { Comparison, Message } from '@/api/generated';
import { cn } from '@/lib/cn';
import { Answer } from './answer';
import { BranchSwitch } from './branch-switch';
import { type Editing, Question } from './question';
import { VerdictLine } from './verdict-line';

interface ThreadMessageProps {
  message: Message;
  /** The ids of this message and those beside it, if there are any. */
  family?: string[];
  /** Far from what is read: laid out once it is scrolled to. */
  offscreen: boolean;
  marked: boolean;
  /** The comparison that it was an answer of, if so. */
  comparison?: Comparison;
  onShow: (id: string) => void;
  onRetry?: (answer: Message) => void;
  onContinue?: (answer: Message) => void;
  /** For the question that is edited, and for all while none is. */
  editing?: Editing;
}

/** One message in its place, with the way to those beside it. */
export const ThreadMessage = memo(function ThreadMessage(props: ThreadMessageProps) {
  const { message, family, comparison, offscreen, marked, onShow, onRetry, onContinue, editing } = props;
  const asked = message.author === 'user';
  return (
    <div
      data-message={message.id}
      data-marked={marked || undefined}
      tabIndex={-1}
      className={cn(
        'rounded-xl outline-offset-8 transition-shadow',
        offscreen && 'message-offscreen',
        marked && 'outline-2 outline-ring',
        !marked && 'outline-none',
      )}
    >
      {asked ? (
        <Question message={message} editing={editing} />
      ) : (
        <Answer message={message} onRetry={onRetry} onContinue={onContinue} />
      )}
      {comparison && [comparison.left_id, comparison.right_id].includes(message.id) && (
        <VerdictLine comparison={comparison} />
      )}
      {family && (
        <div className={cn('mt-1 flex', asked ? 'justify-end' : '-ml-2')}>
          <BranchSwitch
            what={asked ? 'question' : 'answer'}
            ids={family}
            shown={message.id}
            onShow={onShow}
          />
        </div>
      )}
    </div>
  );
});
