import { useMe } from '@/api/me';
import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Empty, Page, Section } from '@/components/ui/page';
import { Skeleton } from '@/components/ui/skeleton';
import { useTitle } from '@/lib/use-title';
import { useModels, useTrainingRuns } from './queries';
import { Takeover } from './takeover';
import { TrainingRun } from './training-run';
import { Rollback } from './version-acts';
import { Versions } from './versions';

/** Which versions there are, which one answers, and how they came to be. */
export function ModelsPage() {
  useTitle('Models');
  const isAdmin = useMe()?.role === 'admin';
  const runs = useTrainingRuns();
  const models = useModels(runs.data?.items.some((run) => run.state === 'running') ?? false);
  return (
    <Page
      title="Models"
      lead="Ratings, corrections and source code become a new version every week. It is served only if it measures better than the one before."
      actions={models.data && <Rollback models={models.data} allowed={isAdmin} />}
    >
      <Section title="Versions">
        {models.data && <Takeover models={models.data} />}
        {models.data?.problem && <Notice tone="warning">{models.data.problem}</Notice>}
        {models.isError && <Notice tone="error">{sentenceOf(models.error)}</Notice>}
        {models.isPending && <Skeleton rows={2} />}
        {models.data?.items.length === 0 && <Empty>No model version is registered yet.</Empty>}
        {models.data && models.data.items.length > 0 && <Versions models={models.data} isAdmin={isAdmin} />}
      </Section>
      <Section title="Training runs">
        {runs.isError && <Notice tone="error">{sentenceOf(runs.error)}</Notice>}
        {runs.isPending && <Skeleton rows={2} />}
        {runs.data?.items.length === 0 && (
          <Empty>
            No run yet. Rate or correct some answers; the weekly run, or “make finetune”, learns from them.
          </Empty>
        )}
        <div className="flex flex-col gap-2.5">
          {runs.data?.items.map((run, index) => (
            <TrainingRun key={run.id} run={run} open={index === 0} />
          ))}
        </div>
      </Section>
    </Page>
  );
}
