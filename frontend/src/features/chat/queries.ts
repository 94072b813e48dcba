import { type QueryClient, queryOptions } from '@tanstack/react-query';
import type { Conversation, ConversationWithMessages, Message } from '@/api/generated';
import {
  getConversationOptions,
  getConversationQueryKey,
  listConversationsInfiniteQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { ACTIVE_POLL_MS } from '@/config/app';
import { isActive, merged } from './thread';

const pathOf = (conversationId: string) => ({ path: { conversation_id: conversationId } });

/** A conversation; asked for again now and then while an answer is being made, in case its stream tells us nothing. */
export const conversationQuery = (conversationId: string) =>
  queryOptions({
    ...getConversationOptions(pathOf(conversationId)),
    refetchInterval: ({ state }) => (state.data?.messages.some(isActive) ? ACTIVE_POLL_MS : false),
  });

function cacheMessages(client: QueryClient, conversationId: string, messages: Message[]): void {
  client.setQueryData<ConversationWithMessages>(getConversationQueryKey(pathOf(conversationId)), (old) =>
    old ? { ...old, messages: merged(old.messages, messages) } : old,
  );
}

/**
 * Puts new or newer messages into what is cached of their conversation, and asks for the whole again: an answer to an
 * earlier question that is still on its way is older than these messages, and must not replace them.
 */
export function storeMessages(client: QueryClient, conversationId: string, messages: Message[]): void {
  cacheMessages(client, conversationId, messages);
  void refreshConversation(client, conversationId);
}

/** Shows a message as it will be once the server has agreed. */
export async function expectMessage(client: QueryClient, message: Message): Promise<void> {
  await client.cancelQueries({ queryKey: getConversationQueryKey(pathOf(message.conversation_id)) });
  cacheMessages(client, message.conversation_id, [message]);
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

/** Asks again for a conversation. A question that is already on its way is given up. */
export function refreshConversation(client: QueryClient, conversationId: string): Promise<void> {
  return client.invalidateQueries({ queryKey: getConversationQueryKey(pathOf(conversationId)) });
}

/** Asks again for the list, whose order and titles follow from what is said. */
export function refreshConversationList(client: QueryClient): Promise<void> {
  const [{ _id }] = listConversationsInfiniteQueryKey();
  return client.invalidateQueries({
    predicate: ({ queryKey: [key] }) => (key as { _id?: string } | undefined)?._id === _id,
  });
}
