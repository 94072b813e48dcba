import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { rollbackModel } from '@/api/generated';
import {
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

/** Model versions; a run that is about to publish makes them worth watching. */
export function useModels(training: boolean) {
  return useQuery({ ...listModelsOptions(), refetchInterval: training ? TRAINING_POLL_MS : IDLE_POLL_MS });
}

export function useRollback() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => rollbackModel({ throwOnError: true }),
    onSuccess: ({ data }) => {
      client.setQueryData(listModelsQueryKey(), data);
      void client.invalidateQueries({ queryKey: meQueryKey() });
      toast(
        'Rolled back. Servers take the version over within seconds; answers in flight finish on the old one.',
      );
    },
    onError: (error) => toast(`Nothing was changed. ${sentenceOf(error)}`),
  });
}
