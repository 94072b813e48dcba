import { type QueryClient, queryOptions } from '@tanstack/react-query';
import {
  type ChatSettings,
  type Comparison,
  type ConversationDetail,
  type ConversationWithMessages,
  type GetConversationData,
  getConversation,
  type Message,
} from '@/api/generated';
import {
  getConversationQueryKey,
  listConversationsInfiniteQueryKey,
} from '@/api/generated/@tanstack/react-query.gen';
import { ApiError } from '@/api/problem';
import { ACTIVE_POLL_MS, MESSAGES_PAGE_SIZE } from '@/config/app';
import { isActive, joined, type Loaded, onBranch, withComparisons, withMessages } from './thread';

const keyOf = (conversationId: string) =>
  getConversationQueryKey({ path: { conversation_id: conversationId } });

function loadedOf(client: QueryClient, conversationId: string): Loaded | undefined {
  return client.getQueryData<Loaded>(keyOf(conversationId));
}

function change(client: QueryClient, conversationId: string, to: (old: Loaded) => Loaded): void {
  client.setQueryData<Loaded>(keyOf(conversationId), (old) => (old ? to(old) : old));
}

/**
 * A conversation: its end, or the part around a message, and whatever has been loaded of it since. Asked for again now
 * and then while an answer is being made, in case its stream tells us nothing.
 */
export const conversationQuery = (conversationId: string, around: string | null = null) =>
  queryOptions({
    queryKey: keyOf(conversationId),
    queryFn: async ({ client, signal }): Promise<Loaded> => {
      const asked = loadedOf(client, conversationId);
      const anchor = asked ? asked.anchor : around;
      const page = await pageAt(conversationId, anchor, signal);
      const old = loadedOf(client, conversationId);
      if (!old) return page;
      // The reader has since chosen another branch: this page is not of it.
      if (old.anchor !== anchor) return withoutMoving(old, page);
      return { ...joined(old, page), anchor: page.anchor };
    },
    refetchInterval: ({ state }) => (state.data?.messages.some(isActive) ? ACTIVE_POLL_MS : false),
  });

/** The page around a message; the end of the conversation where that message is not there (any more). */
async function pageAt(conversationId: string, anchor: string | null, signal: AbortSignal): Promise<Loaded> {
  try {
    const query = anchor ? { around: anchor } : {};
    return { ...(await getPage(conversationId, query, signal)), anchor };
  } catch (error) {
    if (!(anchor && error instanceof ApiError && error.param === 'around')) throw error;
    return { ...(await getPage(conversationId, {}, signal)), anchor: null };
  }
}

async function getPage(
  conversationId: string,
  query: GetConversationData['query'],
  signal?: AbortSignal,
): Promise<ConversationWithMessages> {
  const { data } = await getConversation({
    path: { conversation_id: conversationId },
    query: { limit: MESSAGES_PAGE_SIZE, ...query },
    signal,
    throwOnError: true,
  });
  return data;
}

function withoutMoving(old: Loaded, page: ConversationWithMessages): Loaded {
  const { messages, comparisons } = joined(old, page);
  return { ...old, messages, comparisons };
}

/** Adds what the branch has before the messages that are loaded. */
export async function loadEarlier(client: QueryClient, conversationId: string): Promise<void> {
  const first = loadedOf(client, conversationId)?.branch[0];
  if (!first) return;
  const page = await getPage(conversationId, { before: first });
  change(client, conversationId, (old) => (old.branch[0] === first ? joined(old, page) : old));
}

/** Adds what the branch has after the messages that are loaded. */
export async function loadLater(client: QueryClient, conversationId: string): Promise<void> {
  const last = loadedOf(client, conversationId)?.branch.at(-1);
  if (!last) return;
  const page = await getPage(conversationId, { after: last });
  change(client, conversationId, (old) => (old.branch.at(-1) === last ? joined(old, page) : old));
}

/** The message to reply to at the end of the branch that is shown; null where that is the newest one anyway. */
export async function endOfBranch(client: QueryClient, conversationId: string): Promise<string | null> {
  while (loadedOf(client, conversationId)?.later) await loadLater(client, conversationId);
  const loaded = loadedOf(client, conversationId);
  return loaded?.anchor ? (loaded.branch.at(-1) ?? null) : null;
}

/** Shows another branch: at once as far as it is loaded, then as the server has it. */
export async function showBranch(
  client: QueryClient,
  conversationId: string,
  messageId: string,
): Promise<void> {
  await client.cancelQueries({ queryKey: keyOf(conversationId) });
  change(client, conversationId, (old) => onBranch(old, messageId));
  await refreshConversation(client, conversationId);
}

/** Makes sure that a message is loaded and on the branch that is shown. */
export async function showMessage(
  client: QueryClient,
  conversationId: string,
  messageId: string,
): Promise<void> {
  const old = loadedOf(client, conversationId);
  if (!old || old.branch.includes(messageId)) return;
  await client.cancelQueries({ queryKey: keyOf(conversationId) });
  change(client, conversationId, (now) => ({ ...now, anchor: messageId }));
  await refreshConversation(client, conversationId);
}

/** A place in the middle is not kept: opened again, the conversation shows its end. */
export function leaveConversation(client: QueryClient, conversationId: string): void {
  if (loadedOf(client, conversationId)?.later) client.removeQueries({ queryKey: keyOf(conversationId) });
}

/**
 * Puts new or newer messages into what is cached of their conversation, and asks for its page again: an answer to an
 * earlier question that is still on its way is older than these messages, and must not replace them.
 */
export function storeMessages(client: QueryClient, conversationId: string, messages: Message[]): void {
  change(client, conversationId, (old) => withMessages(old, messages));
  void refreshConversation(client, conversationId);
}

/** Shows a message as it will be once the server has agreed. */
export async function expectMessage(client: QueryClient, message: Message): Promise<void> {
  await client.cancelQueries({ queryKey: keyOf(message.conversation_id) });
  change(client, message.conversation_id, (old) => withMessages(old, [message]));
}

/** A conversation that was just created, with its first messages: it shows at once, and its title follows. */
export function storeConversation(
  client: QueryClient,
  conversation: ConversationDetail,
  messages: Message[],
  comparisons: Comparison[] = [],
): void {
  const empty = { messages: [], branch: [], earlier: false, later: false, anchor: null };
  const whole = withMessages({ ...conversation, ...empty, comparisons }, messages);
  client.setQueryData(keyOf(conversation.id), whole);
  void refreshConversation(client, conversation.id);
}

/** Puts a comparison that has begun, or has been closed, into the cache. */
export function storeComparison(client: QueryClient, conversationId: string, comparison: Comparison): void {
  change(client, conversationId, (old) => ({
    ...old,
    comparisons: withComparisons(old.comparisons, [comparison]),
  }));
}

/** Puts settings that were just saved into the cache. */
export function storeSettings(client: QueryClient, conversationId: string, settings: ChatSettings): void {
  change(client, conversationId, (old) => ({ ...old, settings }));
}

/** Asks again for a conversation. A question that is already on its way is given up. */
export function refreshConversation(client: QueryClient, conversationId: string): Promise<void> {
  return client.invalidateQueries({ queryKey: keyOf(conversationId) });
}

/** Asks again for the list, whose order and titles follow from what is said. */
export function refreshConversationList(client: QueryClient): Promise<void> {
  const [{ _id }] = listConversationsInfiniteQueryKey();
  return client.invalidateQueries({
    predicate: ({ queryKey: [key] }) => (key as { _id?: string } | undefined)?._id === _id,
  });
}
