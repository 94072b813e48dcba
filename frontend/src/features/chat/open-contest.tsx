import { lazy, Suspense } from 'react';
import type { Comparison, Message } from '@/api/generated';

const Contest = lazy(() => import('./contest').then((module) => ({ default: module.Contest })));

interface OpenContestProps {
  comparison: Comparison;
  messages: Message[];
  /** The answer in whose place both stand. */
  place: string;
}

/** Two answers that wait for a vote. */
export function OpenContest({ comparison, messages, place }: OpenContestProps) {
  const left = messages.find(({ id }) => id === comparison.left_id);
  const right = messages.find(({ id }) => id === comparison.right_id);
  return (
    <div data-message={place} tabIndex={-1} className="outline-none">
      <Suspense fallback={<p className="text-muted-foreground text-sm">Opening the comparison…</p>}>
        {left && right && <Contest comparison={comparison} left={left} right={right} />}
      </Suspense>
    </div>
  );
}
