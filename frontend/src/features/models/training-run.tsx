import { ChevronRight } from 'lucide-react';
import type { TrainingRun as Run, RunState } from '@/api/generated';
import { Badge, type Tone } from '@/components/ui/badge';
import { Progress } from '@/components/ui/progress';
import { formatDateTime, formatEta, formatFigure, formatSeconds, humanize } from '@/lib/format';
import { progressOf, verdictOf } from './verdict';
import { VerdictTable } from './verdict-table';

const STATES: Record<RunState, { words: string; tone: Tone }> = {
  running: { words: 'Running', tone: 'accent' },
  published: { words: 'Published', tone: 'accent' },
  rejected: { words: 'Refused by the gate', tone: 'warning' },
  nothing_to_do: { words: 'Nothing to learn yet', tone: 'neutral' },
  failed: { words: 'Failed', tone: 'danger' },
};

const STAGES = ['extract', 'train', 'export', 'evaluate', 'publish'];

/** One training run; opens to what it did and measured. */
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
        <p className="text-muted-foreground text-xs">
          Base model {run.base_model}
          {verdict?.gateRows != null && ` · judged on ${verdict.gateRows} held-out rows`}
        </p>
      </div>
    </details>
  );
}

function RunningStage({ run }: { run: Run }) {
  const { fraction, etaS, figures } = progressOf(run.progress);
  const number = STAGES.indexOf(run.stage) + 1;
  const done = Math.round(fraction * 100);
  return (
    <div className="flex flex-col gap-1.5">
      <div className="flex flex-wrap justify-between gap-x-4 text-sm tabular-nums">
        <span>
          {humanize(run.stage)}
          {number > 0 && (
            <span className="text-muted-foreground">
              {' '}
              · stage {number} of {STAGES.length}
            </span>
          )}
        </span>
        <span className="text-muted-foreground">
          {done} %{etaS !== null && `, ${formatEta(etaS)} left`}
        </span>
      </div>
      <Progress label={`Progress of ${run.stage}`} value={done} className="h-1.5" />
      {figures.length > 0 && (
        <p className="text-muted-foreground text-xs tabular-nums">
          {figures.map(([name, value]) => `${humanize(name)} ${formatFigure(value)}`).join(' · ')}
        </p>
      )}
    </div>
  );
}

function durationOf(run: Run): string {
  if (!run.finished_at) return '';
  return `took ${formatSeconds((Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000)}`;
}
