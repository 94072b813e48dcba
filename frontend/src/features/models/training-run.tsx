import { Link } from '@tanstack/react-router';
import { ChevronRight } from 'lucide-react';
import type { TrainingRun as Run } from '@/api/generated';
import { Badge } from '@/components/ui/badge';
import { buttonClass } from '@/components/ui/button';
import { formatDateTime } from '@/lib/format';
import { durationOf, STATES } from './run-state';
import { RunningStage } from './running-stage';
import { verdictOf } from './verdict';
import { VerdictTable } from './verdict-table';

/** One training run; opens to how it ended, and leads to all that it did. */
export function TrainingRun({ run, open }: { run: Run; open: boolean }) {
  const state = STATES[run.state];
  const verdict = verdictOf(run.verdict);
  return (
    <details open={open} className="group rounded-xl border bg-card">
      <summary className="flex list-none flex-wrap items-center gap-x-3 gap-y-1 rounded-xl px-4 py-3 text-sm hover:bg-muted [&::-webkit-details-marker]:hidden">
        <ChevronRight
          aria-hidden
          className="size-4 text-muted-foreground transition-transform group-open:rotate-90"
        />
        <span className="font-medium">{formatDateTime(run.started_at)}</span>
        <Badge tone={state.tone}>{state.words}</Badge>
        <span className="ml-auto text-muted-foreground text-xs tabular-nums">{durationOf(run)}</span>
      </summary>
      <div className="flex flex-col gap-3 px-4 pt-1 pb-4">
        {run.state === 'running' && <RunningStage run={run} />}
        {run.error && <p className="text-destructive text-sm">{run.error}</p>}
        {verdict && <VerdictTable verdict={verdict} />}
        <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
          <p className="text-muted-foreground text-xs">
            Base model {run.base_model}
            {verdict?.gateRows != null && ` · judged on ${verdict.gateRows} held-out rows`}
          </p>
          <Link
            to="/models/runs/$runId"
            params={{ runId: run.id }}
            aria-label={`Details of the run of ${formatDateTime(run.started_at)}`}
            className={buttonClass({ size: 'sm' })}
          >
            Stages, loss curve and data
          </Link>
        </div>
      </div>
    </details>
  );
}
