import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  type ChangePassword,
  type CreateApiKey,
  changePassword,
  createApiKey,
  type DeleteMe,
  deleteConversations,
  deleteMe,
  exportConversations,
  exportOwnData,
  revokeApiKey,
  type UpdateMe,
  updateMe,
} from '@/api/generated';
import {
  listApiKeysOptions,
  listApiKeysQueryKey,
  meQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { saveFile } from '@/lib/download';
import { formatCount } from '@/lib/format';

export function useUpdateMe(saved: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: UpdateMe) => updateMe({ body, throwOnError: true }),
    onSuccess: ({ data }) => {
      client.setQueryData(meQueryKey(), data);
      toast(saved);
    },
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ChangePassword) => changePassword({ body, throwOnError: true }),
    onSuccess: ({ data }) => {
      client.setQueryData(meQueryKey(), data);
      toast('Your password was changed. Every other browser is signed out.');
    },
  });
}

export function useDeleteMe(onDeleted: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: DeleteMe) => deleteMe({ body, throwOnError: true }),
    onSuccess: () => {
      client.clear();
      onDeleted();
      toast('Your account was deleted.');
    },
  });
}

export function useApiKeys() {
  return useQuery(listApiKeysOptions());
}

export function useCreateKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: CreateApiKey) => (await createApiKey({ body, throwOnError: true })).data,
    onSettled: () => client.invalidateQueries({ queryKey: listApiKeysQueryKey() }),
    gcTime: 0,
  });
}

export function useRevokeKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => revokeApiKey({ path: { key_id: id }, throwOnError: true }),
    onSuccess: () => toast('The key was revoked. Programs that use it are refused from now on.'),
    onError: (error) => toast(`The key was not revoked. ${sentenceOf(error)}`),
    onSettled: () => client.invalidateQueries({ queryKey: listApiKeysQueryKey() }),
  });
}

export type OwnFile = 'conversations' | 'everything';

/** Saves what is one's own as a file. */
export function useSaveData() {
  return useMutation({
    mutationFn: async (what: OwnFile) => {
      const asked = { parseAs: 'blob', throwOnError: true } as const;
      const { data } = await (what === 'everything' ? exportOwnData(asked) : exportConversations(asked));
      // `parseAs` decides what comes; the generated type is that of the JSON.
      saveFile(data as unknown as Blob, what === 'everything' ? 'my-data.json' : 'conversations.json');
    },
    onError: (error) => toast(`Nothing was exported. ${sentenceOf(error)}`),
  });
}

/** Deletes all conversations, or those that are archived. */
export function useDeleteConversations(onDeleted: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (archived: boolean) =>
      (await deleteConversations({ query: { archived }, throwOnError: true })).data,
    onSuccess: ({ deleted }) => {
      onDeleted();
      toast(
        deleted === 1 ? '1 conversation was deleted.' : `${formatCount(deleted)} conversations were deleted.`,
      );
    },
    onSettled: () => client.invalidateQueries(),
  });
}
