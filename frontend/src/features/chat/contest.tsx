import { RotateCcw } from 'lucide-react';
import type { Comparison, Message, Vote } from '@/api/generated';
import { Markdown } from '@/components/markdown/markdown';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { Announcer } from './announcer';
import { useComparisonActs } from './comparison-queries';
import { StageLine } from './stage-line';
import { outcomeSentence } from './stages';
import { isActive } from './thread';
import { useGeneration } from './use-generation';

interface ContestProps {
  comparison: Comparison;
  left: Message;
  right: Message;
}

/** Two answers side by side, whose models are told after the vote. They are written one after the other. */
export function Contest({ comparison, left, right }: ContestProps) {
  const { vote, again, end, pending } = useComparisonActs(comparison, left.conversation_id);
  const sides = [left, right];
  const writing = sides.some(isActive);
  const complete = sides.every(({ status }) => status === 'done');
  return (
    <section aria-label="Comparison of two answers" className="flex flex-col gap-4">
      <div className="grid gap-4 md:grid-cols-2">
        <Side name="Left answer" message={left} waiting={null} />
        <Side
          name="Right answer"
          message={right}
          waiting={isActive(left) ? 'Waits for the left answer, so that each has the whole server' : null}
        />
      </div>
      {complete && <Ballot disabled={pending} onVote={vote} />}
      {!complete && !writing && (
        <Notice
          tone="warning"
          actions={
            <Button size="sm" disabled={pending} onClick={again}>
              <RotateCcw aria-hidden />
              Run what is missing
            </Button>
          }
        >
          A vote needs two complete answers.
        </Notice>
      )}
      <div className="flex flex-wrap items-center justify-center gap-x-3 text-muted-foreground text-xs">
        <span>
          {writing ? 'You can vote when both are written.' : 'The models are named after the vote.'}
        </span>
        <Button variant="ghost" size="sm" disabled={pending} onClick={end}>
          End without a vote
        </Button>
      </div>
    </section>
  );
}

interface SideProps {
  name: string;
  message: Message;
  /** Why it is not being written yet, if so. */
  waiting: string | null;
}

function Side({ name, message: stored, waiting }: SideProps) {
  const stream = useGeneration(stored);
  const message = (isActive(stored) && stream.message) || stored;
  const active = isActive(message);
  const text = active ? stream.text : message.content;
  const outcome = outcomeSentence(message);
  return (
    <article
      data-testid="side"
      data-status={message.status}
      aria-label={name}
      aria-busy={active}
      className="min-w-0 rounded-xl border bg-card p-4"
    >
      <h2 className="mb-2 font-semibold text-muted-foreground text-xs">{name}</h2>
      {text && <Markdown text={text} streaming={active} />}
      {active && waiting && <p className="text-muted-foreground text-xs">{waiting}</p>}
      {active && !waiting && <StageLine stream={stream} />}
      {!active && outcome && <p className="mt-3 text-muted-foreground text-sm">{outcome}</p>}
      <Announcer text={text} active={active} />
    </article>
  );
}

const CHOICES: { vote: Vote; words: string }[] = [
  { vote: 'left', words: 'Left is better' },
  { vote: 'tie', words: 'Tie' },
  { vote: 'bad', words: 'Both are bad' },
  { vote: 'right', words: 'Right is better' },
];

function Ballot({ disabled, onVote }: { disabled: boolean; onVote: (vote: Vote) => void }) {
  return (
    <fieldset className="flex flex-wrap justify-center gap-2">
      <legend className="mb-2 w-full text-center font-medium text-sm">Which answer is better?</legend>
      {CHOICES.map(({ vote, words }) => (
        <Button key={vote} disabled={disabled} onClick={() => onVote(vote)}>
          {words}
        </Button>
      ))}
    </fieldset>
  );
}
