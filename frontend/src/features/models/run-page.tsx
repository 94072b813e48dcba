import { Link } from '@tanstack/react-router';
import { ArrowLeft, Rows3 } from 'lucide-react';
import type { TrainingRun } from '@/api/generated';
import { useMe } from '@/api/me';
import { sentenceOf } from '@/api/problem';
import { VersionName } from '@/components/lineage/version-name';
import { Badge } from '@/components/ui/badge';
import { buttonClass } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { Empty, Page, Section } from '@/components/ui/page';
import { Skeleton } from '@/components/ui/skeleton';
import { formatDateTime } from '@/lib/format';
import { useTitle } from '@/lib/use-title';
import { LossCurve } from './loss-curve';
import { useTrainingRun } from './queries';
import { curveOf, isObject, objectAt } from './report';
import { RunData } from './run-data';
import { RunStages } from './run-stages';
import { adviceFor, durationOf, STATES } from './run-state';
import { verdictOf } from './verdict';
import { VerdictTable } from './verdict-table';

/** A run as it happens, and what came of it. */
export function RunPage({ runId }: { runId: string }) {
  useTitle('Training run');
  const me = useMe();
  const { data: run, error, isPending } = useTrainingRun(runId);
  return (
    <Page
      title={run ? `Run of ${formatDateTime(run.started_at)}` : 'Training run'}
      lead={
        <Link to="/models" className="inline-flex items-center gap-1.5 text-sm hover:text-foreground">
          <ArrowLeft aria-hidden className="size-4" />
          All versions and runs
        </Link>
      }
      actions={
        me?.role === 'admin' &&
        run && (
          <Link to="/models/runs/$runId/rows" params={{ runId }} className={buttonClass()}>
            <Rows3 aria-hidden />
            Training rows
          </Link>
        )
      }
    >
      {error && !run && <Notice tone="error">{sentenceOf(error)}</Notice>}
      {isPending && <Skeleton rows={5} />}
      {run && <Run run={run} />}
    </Page>
  );
}

function Run({ run }: { run: TrainingRun }) {
  const advice = adviceFor(run);
  const verdict = verdictOf(run.verdict);
  const curve = curveOf(objectAt(run.stages, 'train').curve ?? run.progress.curve);
  const data = run.stages.extract;
  return (
    <>
      <Section title="Stages">
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-muted-foreground text-sm">
          <Badge tone={STATES[run.state].tone}>{STATES[run.state].words}</Badge>
          <span>Base model {run.base_model}</span>
          <span className="tabular-nums">{durationOf(run)}</span>
          {run.version && (
            <span>
              Version <VersionName version={run.version} />
            </span>
          )}
        </p>
        {advice && <Notice tone={advice.tone}>{advice.text}</Notice>}
        <div className="rounded-xl border bg-card p-4 sm:p-5">
          <RunStages run={run} />
        </div>
      </Section>
      <Section title="Loss curve">
        {curve ? (
          <LossCurve curve={curve} />
        ) : (
          <Empty>The curve begins once the model has learned for two steps.</Empty>
        )}
      </Section>
      <Section title="Data">
        {isObject(data) ? <RunData report={data} /> : <Empty>Nothing has been collected yet.</Empty>}
        {run.dataset_fingerprint && (
          <p className="break-all text-muted-foreground text-xs">
            Fingerprint of the data: <code>{run.dataset_fingerprint}</code>
          </p>
        )}
      </Section>
      <Section title="Gate">
        {verdict ? (
          <>
            <p className="text-muted-foreground text-sm">
              {verdict.passed
                ? 'Every check passed: the new version measured better than the one served before it.'
                : 'At least one check failed, so the new version is not served.'}
            </p>
            <VerdictTable verdict={verdict} />
          </>
        ) : (
          <Empty>The new version has not been measured yet. It is served only if every check passes.</Empty>
        )}
      </Section>
    </>
  );
}
