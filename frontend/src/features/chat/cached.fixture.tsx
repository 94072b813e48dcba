import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ConversationWithMessages } from '@/api/generated';
import { Answer } from './answer';
import { conversationQuery } from './queries';

/** For tests: the last message of a conversation as the cache has it, so that changes to the cache show. */
export function Cached({ conversation }: { conversation: ConversationWithMessages }) {
  const client = useQueryClient();
  const query = conversationQuery(conversation.id);
  if (!client.getQueryData(query.queryKey))
    client.setQueryData(query.queryKey, { ...conversation, anchor: null });
  const { data } = useQuery(query);
  const message = data?.messages.at(-1);
  return message ? <Answer message={message} /> : null;
}
