import { memo } from 'react';
import type { Message } from '@/api/generated';

/** What was asked: shown as typed, never as Markdown. */
export const Question = memo(function Question({ message }: { message: Message }) {
  return (
    <article aria-label="You" className="flex justify-end">
      <div className="max-w-[min(36rem,88%)] whitespace-pre-wrap rounded-2xl rounded-br-md bg-secondary px-4 py-2.5 [overflow-wrap:anywhere]">
        {message.content}
      </div>
    </article>
  );
});
