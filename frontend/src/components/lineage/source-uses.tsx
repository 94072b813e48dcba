import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import type { ListSourceUsesData, SourceUse } from '@/api/generated';
import { listSourceUsesOptions } from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Skeleton } from '@/components/ui/skeleton';
import { formatCount, formatDateTime } from '@/lib/format';
import { reasonWords, splitWords } from '@/lib/training-words';
import { VersionName } from './version-name';

interface SourceUsesProps {
  source: ListSourceUsesData['path']['source'];
  sourceId: string;
}

/** Opens to the runs that met a source, what they made of it, and the versions that came of them. */
export function SourceUses({ source, sourceId }: SourceUsesProps) {
  const [open, setOpen] = useState(false);
  return (
    <details className="group text-sm" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="flex w-fit list-none items-center gap-1 rounded-md text-muted-foreground text-xs hover:text-foreground [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden className="size-3.5 transition-transform group-open:rotate-90" />
        Runs and versions that met it
      </summary>
      {open && <Uses source={source} sourceId={sourceId} />}
    </details>
  );
}

function Uses({ source, sourceId }: SourceUsesProps) {
  const { data, error, isPending } = useQuery(
    listSourceUsesOptions({ path: { source, source_id: sourceId } }),
  );
  if (isPending) return <Skeleton rows={1} />;
  if (error) return <Notice tone="error">{sentenceOf(error)}</Notice>;
  if (data.items.length === 0)
    return <p className="mt-1.5 text-muted-foreground text-xs">No run has met it yet.</p>;
  return (
    <ul aria-label="Runs and versions that met it" className="mt-1.5 flex flex-col gap-1.5 text-xs">
      {data.items.map((use) => (
        <Use key={use.run_id} use={use} />
      ))}
    </ul>
  );
}

function Use({ use }: { use: SourceUse }) {
  return (
    <li className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5 tabular-nums">
      <Link
        to="/models/runs/$runId"
        params={{ runId: use.run_id }}
        className="underline underline-offset-3 hover:text-foreground"
      >
        Run of {formatDateTime(use.started_at)}
      </Link>
      <span className="text-muted-foreground">{becameOf(use)}</span>
      {use.version && (
        <span>
          made <VersionName version={use.version} />
        </span>
      )}
    </li>
  );
}

/** `3 rows to learn from, 1 row to judge by, 1 row left out: empty`. */
function becameOf({ splits, reasons }: SourceUse): string {
  const kept = Object.entries(splits).map(([split, rows]) => `${counted(rows)} ${splitWords(split)}`);
  const left = Object.entries(reasons).map(
    ([reason, rows]) => `${counted(rows)} left out: ${reasonWords(reason)}`,
  );
  return [...kept, ...left].join(', ');
}

function counted(rows: number): string {
  return `${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`;
}
