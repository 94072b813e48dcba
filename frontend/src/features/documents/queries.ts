import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { type Document, eraseDocument } from '@/api/generated';
import {
  getDocumentOptions,
  listDocumentsInfiniteOptions,
  listDocumentsInfiniteQueryKey,
  listReposOptions,
  listReposQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { toast } from '@/components/ui/toaster';
import { ADMIN_PAGE_SIZE } from '@/config/app';

export function useRepos() {
  return useQuery(listReposOptions());
}

/** Files by path, of one repository or of all (null), whose path contains `search`. */
export function useDocuments(repo: string | null, search: string) {
  return useInfiniteQuery({
    ...listDocumentsInfiniteOptions({ query: { repo, search, limit: ADMIN_PAGE_SIZE } }),
    initialPageParam: { query: {} },
    getNextPageParam: ({ next_after: after }) => (after ? { query: { after } } : undefined),
    placeholderData: keepPreviousData,
  });
}

export function useDocument(id: string) {
  return useQuery(getDocumentOptions({ path: { document_id: id } }));
}

/** Asks again for repositories and files: some have come or gone. */
export function useRefreshDocuments() {
  const client = useQueryClient();
  return () =>
    Promise.all(
      [listReposQueryKey(), listDocumentsInfiniteQueryKey()].map((queryKey) =>
        client.invalidateQueries({ queryKey }),
      ),
    );
}

export function useErase() {
  const refresh = useRefreshDocuments();
  return useMutation({
    mutationFn: ({ id }: Document) => eraseDocument({ path: { document_id: id }, throwOnError: true }),
    onSuccess: (_, { path }) => {
      toast(`${path} was erased. The next run does not learn from it.`);
      void refresh();
    },
  });
}
