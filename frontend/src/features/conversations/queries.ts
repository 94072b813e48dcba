import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { type Conversation, deleteConversation, updateConversation } from '@/api/generated';
import {
  getConversationQueryKey,
  listConversationsInfiniteOptions,
} from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { CONVERSATIONS_PAGE_SIZE } from '@/config/app';
import { dayGroup } from '@/lib/format';

const listOptions = () => listConversationsInfiniteOptions({ query: { limit: CONVERSATIONS_PAGE_SIZE } });

/** All conversations, newest first, a page at a time. */
export function useConversations() {
  return useInfiniteQuery({
    ...listOptions(),
    initialPageParam: { query: {} },
    getNextPageParam: ({ next_before: before }) => (before ? { query: { before } } : undefined),
  });
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

export function useRename() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, title }: { id: string; title: string }) =>
      updateConversation({ path: { conversation_id: id }, body: { title }, throwOnError: true }),
    onSuccess: ({ data }) => {
      client.setQueryData(getConversationQueryKey({ path: { conversation_id: data.id } }), (old) =>
        old ? { ...old, ...data } : old,
      );
    },
    onError: (error) => toast(`The name was not changed. ${sentenceOf(error)}`),
    onSettled: () => client.invalidateQueries({ queryKey: listOptions().queryKey }),
  });
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
    onSettled: () => client.invalidateQueries({ queryKey: listOptions().queryKey }),
  });
}
