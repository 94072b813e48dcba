import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Empty, Page } from '@/components/ui/page';
import { ShowMore } from '@/components/ui/show-more';
import { Skeleton } from '@/components/ui/skeleton';
import { Time } from '@/components/ui/time';
import { useTitle } from '@/lib/use-title';
import { auditSentence } from './audit-sentence';
import { useAuditLog } from './queries';

/** What admins have done, for admins. */
export function AuditPage() {
  useTitle('Audit log');
  const log = useAuditLog();
  const entries = log.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page
      title="Audit log"
      lead="What admins did to accounts, to the model and to what it learns from, newest first. Entries are added, never changed."
    >
      <div className="flex flex-col gap-4">
        {log.isPending && <Skeleton rows={5} />}
        {log.isError && <Notice tone="error">{sentenceOf(log.error)}</Notice>}
        {log.isSuccess && entries.length === 0 && (
          <Empty>Nothing yet. Invitations, promotions, uploads and exclusions will be listed here.</Empty>
        )}
        {entries.length > 0 && (
          <ol aria-label="Entries" className="divide-y overflow-hidden rounded-xl border bg-card">
            {entries.map((entry) => (
              <li
                key={entry.id}
                className="flex flex-col gap-x-4 gap-y-0.5 px-4 py-2.5 text-sm sm:flex-row sm:justify-between"
              >
                <span className="min-w-0 [overflow-wrap:anywhere]">{auditSentence(entry)}</span>
                <span className="shrink-0 text-muted-foreground text-xs tabular-nums sm:leading-5">
                  <Time at={entry.created_at} />
                </span>
              </li>
            ))}
          </ol>
        )}
        <ShowMore list={log} />
      </div>
    </Page>
  );
}
