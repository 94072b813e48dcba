import type { QueryClient } from '@tanstack/react-query';
import type { Conversation, ConversationWithMessages, Message } from '@/api/generated';
import {
  getConversationOptions,
  getConversationQueryKey,
  listConversationsInfiniteQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { merged } from './thread';

const pathOf = (conversationId: string) => ({ path: { conversation_id: conversationId } });

export const conversationQuery = (conversationId: string) => getConversationOptions(pathOf(conversationId));

/** Puts new or newer messages into what is cached of their conversation. */
export function storeMessages(client: QueryClient, conversationId: string, messages: Message[]): void {
  client.setQueryData<ConversationWithMessages>(getConversationQueryKey(pathOf(conversationId)), (old) =>
    old ? { ...old, messages: merged(old.messages, messages) } : old,
  );
}

/** A conversation that was just created, with its first messages: it shows at once, and its title follows. */
export function storeConversation(
  client: QueryClient,
  conversation: Conversation,
  messages: Message[],
): void {
  const whole: ConversationWithMessages = { ...conversation, messages };
  client.setQueryData(getConversationQueryKey(pathOf(conversation.id)), whole);
  void refreshConversation(client, conversation.id);
}

/** Asks again for a conversation, and for the list, whose order and titles follow from what is said. */
export function refreshConversation(client: QueryClient, conversationId: string): Promise<void> {
  return client.invalidateQueries({ queryKey: getConversationQueryKey(pathOf(conversationId)) });
}

export function refreshConversationList(client: QueryClient): Promise<void> {
  const [{ _id }] = listConversationsInfiniteQueryKey();
  return client.invalidateQueries({
    predicate: ({ queryKey: [key] }) => (key as { _id?: string } | undefined)?._id === _id,
  });
}
