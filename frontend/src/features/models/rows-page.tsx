import { Link } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import { useState } from 'react';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { Empty, Page } from '@/components/ui/page';
import { ShowMore } from '@/components/ui/show-more';
import { Skeleton } from '@/components/ui/skeleton';
import { useTitle } from '@/lib/use-title';
import { RowFilters } from './row-filters';
import { type RowFilter, useRowCounts, useTrainingRows } from './row-queries';
import { RowSummary } from './row-summary';
import { TrainingRowItem } from './training-row';

/** What a run learned from and what it left out, each row with its origin. */
export function RowsPage({ runId }: { runId: string }) {
  useTitle('Training rows');
  const [filter, setFilter] = useState<RowFilter>({});
  const counts = useRowCounts(runId);
  const list = useTrainingRows(runId, filter);
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  return (
    <Page
      title="Training rows"
      lead={
        <Link
          to="/models/runs/$runId"
          params={{ runId }}
          className="inline-flex items-center gap-1.5 text-sm hover:text-foreground"
        >
          <ArrowLeft aria-hidden className="size-4" />
          Back to the run
        </Link>
      }
    >
      <div className="flex flex-col gap-4">
        {counts.isPending && <Skeleton rows={2} />}
        {counts.data && <RowSummary counts={counts.data.items} filter={filter} onFilter={setFilter} />}
        <RowFilters counts={counts.data?.items ?? []} filter={filter} onChange={setFilter} />
        {list.isPending && <Skeleton rows={5} />}
        {list.isError && <Notice tone="error">{sentenceOf(list.error)}</Notice>}
        {list.isSuccess && rows.length === 0 && (
          <Empty>
            {isFiltered ? (
              <span className="flex flex-col items-center gap-3">
                No row is like that.
                <Button size="sm" onClick={() => setFilter({})}>
                  Show all rows
                </Button>
              </span>
            ) : (
              'This run has not collected any rows. Once it has, each is listed here with where it came from.'
            )}
          </Empty>
        )}
        {rows.length > 0 && (
          <ul aria-label="Rows" className="divide-y overflow-hidden rounded-xl border bg-card">
            {rows.map((row) => (
              <TrainingRowItem key={row.id} row={row} />
            ))}
          </ul>
        )}
        <ShowMore list={list} />
      </div>
    </Page>
  );
}
