import {
  type InfiniteData,
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import {
  excludeFromTraining,
  includeInTraining,
  type ListTrainingRowsData,
  type TrainingRow,
  type TrainingRowsPage,
} from '@/api/generated';
import {
  countTrainingRowsOptions,
  listTrainingRowsInfiniteOptions,
} from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { ADMIN_PAGE_SIZE } from '@/config/app';

type Query = NonNullable<ListTrainingRowsData['query']>;
export type RowFilter = Pick<Query, 'kept' | 'split' | 'source' | 'reason'>;
export type SourceKind = NonNullable<Query['source']>;

/** Rows of a run, in the order in which it wrote them down, a page at a time. */
export function useTrainingRows(runId: string, filter: RowFilter) {
  const path = { run_id: runId };
  return useInfiniteQuery({
    ...listTrainingRowsInfiniteOptions({
      path,
      query: { ...filter, limit: ADMIN_PAGE_SIZE },
    }),
    initialPageParam: { path, query: {} },
    getNextPageParam: ({ next_after: after }) => (after ? { path, query: { after } } : undefined),
    placeholderData: keepPreviousData,
  });
}

export function useRowCounts(runId: string) {
  return useQuery(countTrainingRowsOptions({ path: { run_id: runId } }));
}

/** Takes a source out of later runs, or back in; all rows of the source say so at once. */
export function useExclusion() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ row, out }: { row: TrainingRow; out: boolean }) => {
      const path = { source: row.source_kind as SourceKind, source_id: row.source_id };
      return out
        ? excludeFromTraining({ path, throwOnError: true })
        : includeInTraining({ path, throwOnError: true });
    },
    onSuccess: (_, { row, out }) => {
      client.setQueriesData<InfiniteData<TrainingRowsPage>>(
        { predicate: ({ queryKey }) => isRows(queryKey) },
        (data) => data && marked(data, row, out),
      );
      toast(
        out
          ? 'Excluded. From the next run on nothing is learned from it; the version that did stays as it is.'
          : 'Included again, from the next run on.',
      );
    },
    onError: (error) => toast(`Nothing was changed. ${sentenceOf(error)}`),
  });
}

function isRows(queryKey: readonly unknown[]): boolean {
  const [key] = queryKey as [{ _id?: string; _infinite?: boolean } | undefined];
  return key?._id === 'listTrainingRows' && key._infinite === true;
}

function marked(
  data: InfiniteData<TrainingRowsPage>,
  of: TrainingRow,
  excluded: boolean,
): InfiniteData<TrainingRowsPage> {
  const same = (row: TrainingRow) => row.source_kind === of.source_kind && row.source_id === of.source_id;
  const pages = data.pages.map((page) => ({
    ...page,
    items: page.items.map((row) => (same(row) ? { ...row, excluded } : row)),
  }));
  return { ...data, pages };
}
