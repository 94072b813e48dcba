import type { Message, MessageStatus } from '@/api/generated';

const ACTIVE: readonly MessageStatus[] = ['queued', 'reading', 'writing'];

export function isActive(message: Message): boolean {
  return message.author === 'assistant' && ACTIVE.includes(message.status);
}

/**
 * The messages to show: the branch that ends in the newest message. `messages` come oldest first. Where a parent is
 * missing the branch starts there.
 */
export function threadOf(messages: Message[]): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const thread: Message[] = [];
  let next = messages.at(-1);
  while (next && byId.delete(next.id)) {
    thread.push(next);
    next = next.parent_id ? byId.get(next.parent_id) : undefined;
  }
  return thread.reverse().filter((message) => message.author !== 'system');
}

/** The list with these messages in their places, or at its end. */
export function merged(messages: Message[], incoming: Message[]): Message[] {
  const fresh = new Map(incoming.map((message) => [message.id, message]));
  const kept = messages.map((message) => {
    const newer = fresh.get(message.id);
    fresh.delete(message.id);
    return newer ?? message;
  });
  return [...kept, ...fresh.values()];
}
