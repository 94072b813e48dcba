import { Link } from '@tanstack/react-router';
import type { TrainingRow } from '@/api/generated';
import { SourceUses } from '@/components/lineage/source-uses';
import { Badge } from '@/components/ui/badge';
import { Button } from '@/components/ui/button';
import { Time } from '@/components/ui/time';
import { reasonWords, splitWords } from '@/lib/training-words';
import { type SourceKind, useExclusion } from './row-queries';

/** A row: what was asked and what was to be learned, where it came from, and whether later runs may use it. */
export function TrainingRowItem({ row }: { row: TrainingRow }) {
  const exclusion = useExclusion();
  const isReplay = row.source_kind === 'replay';
  return (
    <li className="flex flex-col gap-2 px-4 py-3 sm:flex-row sm:items-start sm:justify-between sm:gap-4">
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-2">
          <Badge>{KINDS[row.source_kind] ?? row.source_kind}</Badge>
          {row.split && <span className="text-muted-foreground text-xs">{splitWords(row.split)}</span>}
          {row.reason && <Badge tone="warning">Left out: {reasonWords(row.reason)}</Badge>}
          {row.excluded && <Badge tone="danger">Excluded from the next run on</Badge>}
        </p>
        <Texts row={row} isReplay={isReplay} />
        <Origin row={row} />
        {!isReplay && (
          <div className="mt-1.5">
            <SourceUses source={row.source_kind as SourceKind} sourceId={row.source_id} />
          </div>
        )}
      </div>
      {!isReplay && (
        <Button
          size="sm"
          className="self-start"
          disabled={exclusion.isPending}
          onClick={() => exclusion.mutate({ row, out: !row.excluded })}
        >
          {row.excluded ? 'Include again' : 'Exclude'}
          <span className="sr-only">: {row.question ?? KINDS[row.source_kind] ?? row.source_kind}</span>
        </Button>
      )}
    </li>
  );
}

function Texts({ row, isReplay }: { row: TrainingRow; isReplay: boolean }) {
  if (isReplay) {
    return (
      <p className="mt-1.5 text-muted-foreground text-sm">
        General code that comes with the product, so that the model forgets nothing.
      </p>
    );
  }
  if (row.question === null && row.answer === null) {
    return (
      <p className="mt-1.5 text-muted-foreground text-sm">
        Its source has been deleted since; no later run learns from it.
      </p>
    );
  }
  return (
    <>
      {row.question && <p className="mt-1.5 line-clamp-2 text-sm [overflow-wrap:anywhere]">{row.question}</p>}
      {row.answer && (
        <pre className="mt-1 line-clamp-4 whitespace-pre-wrap text-muted-foreground text-xs [overflow-wrap:anywhere]">
          {row.answer}
        </pre>
      )}
    </>
  );
}

function Origin({ row }: { row: TrainingRow }) {
  const { who, at, conversation_id: conversationId, message_id: message } = row;
  if (at === null) return null;
  return (
    <p className="mt-1.5 text-muted-foreground text-xs">
      {DEEDS[row.source_kind] ?? 'From'} {who && `by ${who}, `}
      <Time at={at} />
      {conversationId && (
        <>
          {' · '}
          <Link
            to="/c/$conversationId"
            params={{ conversationId }}
            search={{ message: message ?? undefined }}
            className="underline underline-offset-3 hover:text-foreground"
          >
            your conversation
          </Link>
        </>
      )}
    </p>
  );
}

const KINDS: Record<string, string> = {
  correction: 'Correction',
  rating: 'Rating',
  interaction: 'API call',
  document: 'Source file',
  replay: 'General code',
};

const DEEDS: Record<string, string> = {
  correction: 'Corrected',
  rating: 'Rated',
  interaction: 'Called',
  document: 'Taken in',
};
