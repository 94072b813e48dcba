import {
  keepPreviousData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import {
  type CreateUser,
  createLink,
  createUser,
  deleteUser,
  type UpdateUser,
  updateUser,
} from '@/api/generated';
import {
  getUsageOptions,
  listAuditLogInfiniteOptions,
  listAuditLogInfiniteQueryKey,
  listUsersInfiniteOptions,
  listUsersInfiniteQueryKey,
  meQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { toast } from '@/components/ui/toaster';
import { ADMIN_PAGE_SIZE } from '@/config/app';

/** People whose name or address contains `search`, by address, a page at a time. */
export function useUsers(search: string) {
  return useInfiniteQuery({
    ...listUsersInfiniteOptions({ query: { search, limit: ADMIN_PAGE_SIZE } }),
    initialPageParam: { query: {} },
    getNextPageParam: ({ next_after: after }) => (after ? { query: { after } } : undefined),
    placeholderData: keepPreviousData,
  });
}

/** What admins have done, newest first, a page at a time. */
export function useAuditLog() {
  return useInfiniteQuery({
    ...listAuditLogInfiniteOptions({ query: { limit: ADMIN_PAGE_SIZE } }),
    initialPageParam: { query: {} },
    getNextPageParam: ({ next_before: before }) => (before ? { query: { before } } : undefined),
  });
}

/** How much was used, day by day, up to today. */
export function useUsage(days: number) {
  return useQuery({ ...getUsageOptions({ query: { days } }), placeholderData: keepPreviousData });
}

/** An act of an admin: the list and the log have changed, and the admin may have acted on themselves. */
async function refresh(client: QueryClient): Promise<void> {
  await Promise.all(
    [listUsersInfiniteQueryKey(), listAuditLogInfiniteQueryKey(), meQueryKey()].map((queryKey) =>
      client.invalidateQueries({ queryKey }),
    ),
  );
}

export function useInvite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: CreateUser) => (await createUser({ body, throwOnError: true })).data,
    onSuccess: () => void refresh(client),
    gcTime: 0,
  });
}

export function useMakeLink() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (id: string) => (await createLink({ path: { user_id: id }, throwOnError: true })).data,
    onSuccess: () => void refresh(client),
    gcTime: 0,
  });
}

export function useUpdateUser(done: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, ...body }: UpdateUser & { id: string }) =>
      updateUser({ path: { user_id: id }, body, throwOnError: true }),
    onSuccess: () => {
      toast(done);
      void refresh(client);
    },
  });
}

export function useDeleteUser(done: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => deleteUser({ path: { user_id: id }, throwOnError: true }),
    onSuccess: () => {
      toast(done);
      void refresh(client);
    },
  });
}
