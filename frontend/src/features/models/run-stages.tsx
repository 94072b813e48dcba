import { Check, CircleDashed, LoaderCircle, X } from 'lucide-react';
import type { ReactNode } from 'react';
import type { TrainingRun } from '@/api/generated';
import { humanize } from '@/lib/format';
import { isObject } from './report';
import { STAGES } from './run-state';
import { RunningStage } from './running-stage';
import { PURPOSES, stageDuration, stageWords } from './stage-words';

type State = 'done' | 'running' | 'failed' | 'waiting';

/** The stages of a run from first to last: what each reported, and where the run is. */
export function RunStages({ run }: { run: TrainingRun }) {
  return (
    <ol className="flex flex-col">
      {STAGES.map((stage, index) => (
        <Stage key={stage} run={run} stage={stage} last={index === STAGES.length - 1} />
      ))}
    </ol>
  );
}

function Stage({ run, stage, last }: { run: TrainingRun; stage: string; last: boolean }) {
  const report = run.stages[stage];
  const state = stateOf(run, stage);
  const words = isObject(report) ? stageWords(stage, report) : [];
  const duration = isObject(report) ? stageDuration(stage, report) : null;
  return (
    <li
      className="grid grid-cols-[1.5rem_1fr] gap-x-3"
      aria-current={state === 'running' ? 'step' : undefined}
    >
      <div className="flex flex-col items-center">
        {MARKS[state]}
        {!last && <span aria-hidden className="my-1 w-px flex-1 bg-border" />}
      </div>
      <div className={last ? 'min-w-0' : 'min-w-0 pb-5'}>
        <div className="flex flex-wrap items-baseline justify-between gap-x-4">
          <h3 className={state === 'waiting' ? 'text-muted-foreground text-sm' : 'font-medium text-sm'}>
            {humanize(stage)}
            <span className="sr-only">: {WORDS[state]}</span>
          </h3>
          {duration && <span className="text-muted-foreground text-xs tabular-nums">{duration}</span>}
        </div>
        {words.length > 0 ? (
          <p className="text-muted-foreground text-sm tabular-nums">{words.join(' · ')}</p>
        ) : (
          <p className="text-muted-foreground text-sm">{PURPOSES[stage]}</p>
        )}
        {state === 'running' && (
          <div className="mt-2">
            <RunningStage run={run} />
          </div>
        )}
      </div>
    </li>
  );
}

function stateOf(run: TrainingRun, stage: string): State {
  if (isObject(run.stages[stage])) return 'done';
  if (run.stage !== stage) return 'waiting';
  if (run.state === 'running') return 'running';
  return run.state === 'failed' ? 'failed' : 'waiting';
}

const WORDS: Record<State, string> = {
  done: 'done',
  running: 'under way',
  failed: 'failed',
  waiting: 'not reached',
};

const ROUND = 'flex size-6 items-center justify-center rounded-full [&_svg]:size-3.5';
const MARKS: Record<State, ReactNode> = {
  done: (
    <span aria-hidden className={`${ROUND} bg-accent text-accent-foreground`}>
      <Check />
    </span>
  ),
  running: (
    <span aria-hidden className={`${ROUND} bg-primary text-primary-foreground`}>
      <LoaderCircle className="animate-spin" />
    </span>
  ),
  failed: (
    <span aria-hidden className={`${ROUND} bg-destructive-soft text-destructive`}>
      <X />
    </span>
  ),
  waiting: (
    <span aria-hidden className={`${ROUND} text-muted-foreground`}>
      <CircleDashed />
    </span>
  ),
};
