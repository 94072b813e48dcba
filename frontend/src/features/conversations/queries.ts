import {
  type QueryClient,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import {
  type Conversation,
  deleteConversation,
  exportConversation,
  type UpdateConversation,
  updateConversation,
} from '@/api/generated';
import {
  getConversationQueryKey,
  listConversationsInfiniteOptions,
  listConversationsInfiniteQueryKey,
  listFoldersOptions,
  listFoldersQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { CONVERSATIONS_PAGE_SIZE } from '@/config/app';
import { saveFile } from '@/lib/download';
import { dayGroup } from '@/lib/format';

/** Which conversations: those that are not archived, those of a folder, or those that are archived. */
export type Which = { folder?: string; archived?: boolean };

/** Conversations, newest first, a page at a time. */
export function useConversations(which: Which = {}, enabled = true) {
  return useInfiniteQuery({
    ...listConversationsInfiniteOptions({ query: { limit: CONVERSATIONS_PAGE_SIZE, ...which } }),
    initialPageParam: { query: {} },
    getNextPageParam: ({ next_before: before }) => (before ? { query: { before } } : undefined),
    enabled,
  });
}

export type ConversationPages = ReturnType<typeof useConversations>;

const foldersQuery = () =>
  queryOptions({ ...listFoldersOptions(), select: ({ items }) => items.map(({ name }) => name) });

const NO_FOLDERS: string[] = [];

/** The names of the folders that have something in them. */
export function useFolders(): string[] {
  return useQuery(foldersQuery()).data ?? NO_FOLDERS;
}

export interface Group {
  name: string;
  conversations: Conversation[];
}

/** Conversations under the headings of their days; the order is kept. */
export function groupByDay(conversations: Conversation[], now: Date = new Date()): Group[] {
  const groups = new Map<string, Conversation[]>();
  for (const conversation of conversations) {
    const name = dayGroup(conversation.updated_at, now);
    groups.set(name, [...(groups.get(name) ?? []), conversation]);
  }
  return [...groups].map(([name, members]) => ({ name, conversations: members }));
}

function refreshLists(client: QueryClient): Promise<void> {
  const lists = [listConversationsInfiniteQueryKey(), listFoldersQueryKey()].map(([{ _id }]) => _id);
  return client.invalidateQueries({
    predicate: ({ queryKey: [key] }) => lists.includes((key as { _id?: string } | undefined)?._id ?? ''),
  });
}

interface Change {
  id: string;
  change: UpdateConversation;
  /** What to say when it fails: `The name was not changed.` */
  failure: string;
  /** What to say when it is done, where that is not seen; with what takes it back. */
  done?: string;
  undo?: UpdateConversation;
}

/** Renames, pins, files or archives a conversation. */
export function useChange() {
  const client = useQueryClient();
  const mutation = useMutation({
    mutationFn: ({ id, change }: Change) =>
      updateConversation({ path: { conversation_id: id }, body: change, throwOnError: true }),
    onSuccess: ({ data }, { id, failure, done, undo }) => {
      if (done && undo)
        toast(done, { name: 'Undo', run: () => mutation.mutate({ id, change: undo, failure }) });
      client.setQueryData(getConversationQueryKey({ path: { conversation_id: data.id } }), (old) =>
        old ? { ...old, ...data } : old,
      );
    },
    onError: (error, { failure }) => toast(`${failure} ${sentenceOf(error)}`),
    onSettled: () => refreshLists(client),
  });
  return mutation;
}

export function useDelete(onDeleted: (id: string) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => deleteConversation({ path: { conversation_id: id }, throwOnError: true }),
    onSuccess: (_, id) => {
      onDeleted(id);
      client.removeQueries({ queryKey: getConversationQueryKey({ path: { conversation_id: id } }) });
    },
    onError: (error) => toast(`The conversation was not deleted. ${sentenceOf(error)}`),
    onSettled: () => refreshLists(client),
  });
}

export type ExportFormat = 'markdown' | 'json';

const ENDINGS: Record<ExportFormat, string> = { markdown: 'md', json: 'json' };

/** Saves a conversation as a file. */
export function useExport() {
  return useMutation({
    mutationFn: async ({ id, format }: { id: string; format: ExportFormat }) => {
      const { data } = await exportConversation({
        path: { conversation_id: id },
        query: { format },
        parseAs: 'blob',
        throwOnError: true,
      });
      // `parseAs` decides what comes; the generated type is that of the JSON.
      saveFile(data as unknown as Blob, `conversation-${id}.${ENDINGS[format]}`);
    },
    onError: (error) => toast(`The conversation was not exported. ${sentenceOf(error)}`),
  });
}
