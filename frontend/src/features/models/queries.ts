import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  challengeModel,
  endChallenge,
  type ModelsPage,
  type ModelVersion,
  promoteModel,
  rollbackModel,
} from '@/api/generated';
import {
  getTrainingRunOptions,
  listModelsOptions,
  listModelsQueryKey,
  listTrainingRunsOptions,
  meQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { IDLE_POLL_MS, TRAINING_POLL_MS } from '@/config/app';

/** Recent training runs, asked for every few seconds while one is running. */
export function useTrainingRuns() {
  return useQuery({
    ...listTrainingRunsOptions(),
    refetchInterval: ({ state }) =>
      state.data?.items.some((run) => run.state === 'running') ? TRAINING_POLL_MS : IDLE_POLL_MS,
  });
}

/** One run with its loss curve, as it happens. */
export function useTrainingRun(runId: string) {
  return useQuery({
    ...getTrainingRunOptions({ path: { run_id: runId } }),
    refetchInterval: ({ state }) => (state.data?.state === 'running' ? TRAINING_POLL_MS : IDLE_POLL_MS),
  });
}

/** Model versions; a run that is about to publish, and servers that change over, make them worth watching. */
export function useModels(training: boolean) {
  return useQuery({
    ...listModelsOptions(),
    refetchInterval: ({ state }) =>
      training || (state.data && isChangingOver(state.data)) ? TRAINING_POLL_MS : IDLE_POLL_MS,
  });
}

/** Whether some server still serves another version than the champion. */
export function isChangingOver({ servers, taken_over: takenOver }: ModelsPage): boolean {
  return takenOver < servers;
}

export type VersionAct = 'rollback' | 'promote' | 'challenge' | 'end';

const CALLS: Record<VersionAct, (version: ModelVersion) => Promise<{ data: ModelsPage }>> = {
  rollback: () => rollbackModel({ throwOnError: true }),
  promote: ({ id }) => promoteModel({ path: { version_id: id }, throwOnError: true }),
  challenge: ({ id }) => challengeModel({ path: { version_id: id }, throwOnError: true }),
  end: () => endChallenge({ throwOnError: true }),
};

const DONE: Record<VersionAct, (name: string) => string> = {
  rollback: (name) => `Rolled back to ${name}. Answers in flight finish on the version they began with.`,
  promote: (name) => `${name} is the champion now. Answers in flight finish on the version they began with.`,
  challenge: (name) => `${name} is the challenger now. It can be chosen once servers have loaded it.`,
  end: (name) => `${name} is no longer the challenger.`,
};

/** What admins do with versions. */
export function useVersionAct() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ act, version }: { act: VersionAct; version: ModelVersion }) =>
      (await CALLS[act](version)).data,
    onSuccess: (page, { act, version }) => {
      client.setQueryData(listModelsQueryKey(), page);
      void client.invalidateQueries({ queryKey: meQueryKey() });
      toast(DONE[act](version.name));
    },
    onError: (error) => toast(`Nothing was changed. ${sentenceOf(error)}`),
  });
}
