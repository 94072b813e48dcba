import type { TrainingRun } from '@/api/generated';
import { Progress } from '@/components/ui/progress';
import { formatEta, formatFigure, humanize } from '@/lib/format';
import { STAGES } from './run-state';
import { progressOf } from './verdict';

/** How far the stage that is under way has come, and how long it will still take. */
export function RunningStage({ run }: { run: TrainingRun }) {
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
