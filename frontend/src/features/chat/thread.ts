import type { Comparison, ConversationWithMessages, Message, MessageStatus } from '@/api/generated';

const ACTIVE: readonly MessageStatus[] = ['queued', 'reading', 'writing'];

export function isActive(message: Message): boolean {
  return message.author === 'assistant' && ACTIVE.includes(message.status);
}

/** A page of a conversation, or several joined. `branch` is what is shown; see the schema. */
export interface Loaded extends ConversationWithMessages {
  /** The message whose branch the reader has chosen; null follows the newest. */
  anchor: string | null;
}

/** The messages to show, oldest first. */
export function threadOf({ messages, branch }: Pick<Loaded, 'messages' | 'branch'>): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const thread = branch.map((id) => byId.get(id)).filter((message) => message !== undefined);
  return thread.filter((message) => message.author !== 'system');
}

/** Of each message that is not alone (other answers to one question, other ways to ask): all their ids, oldest first. */
export function familiesOf(messages: Message[]): Map<string, string[]> {
  const beside = new Map<string, Message[]>();
  for (const message of messages) {
    const place = `${message.parent_id} ${message.author}`;
    const family = beside.get(place);
    if (family) family.push(message);
    else beside.set(place, [message]);
  }
  const families = new Map<string, string[]>();
  for (const family of beside.values()) {
    if (family.length === 1) continue;
    const ids = family.toSorted(byAge).map(({ id }) => id);
    for (const id of ids) families.set(id, ids);
  }
  return families;
}

/** The comparisons, by the question that two models were asked. */
export function comparisonsOf({ comparisons }: Pick<Loaded, 'comparisons'>): Map<string, Comparison> {
  return new Map(comparisons.map((comparison) => [comparison.question_id, comparison]));
}

/** The comparison on the branch that is shown which still waits for a vote. */
export function openComparison({ comparisons, branch }: Loaded): Comparison | null {
  return comparisons.find(({ closed, question_id: id }) => !closed && branch.includes(id)) ?? null;
}

/** The answers that are being made on the branch that is shown: both, where two are compared. */
export function beingWritten(loaded: Loaded): Message[] {
  const open = openComparison(loaded);
  const shown = new Set([...loaded.branch, ...(open ? [open.left_id, open.right_id] : [])]);
  return loaded.messages.filter((message) => shown.has(message.id) && isActive(message));
}

/** The list with newer comparisons in their places. */
export function withComparisons(old: Comparison[], fresh: Comparison[]): Comparison[] {
  const ids = new Set(fresh.map(({ id }) => id));
  return [...old.filter(({ id }) => !ids.has(id)), ...fresh];
}

function byAge(one: Message, other: Message): number {
  return one.created_at.localeCompare(other.created_at) || one.id.localeCompare(other.id);
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

/**
 * What is loaded with one more page of it. The page tells how the branch goes from its first message on; what was
 * loaded before that, and after a page that is not the end, stays.
 */
export function joined(old: Loaded, page: ConversationWithMessages): Loaded {
  const messages = merged(old.messages, page.messages);
  const comparisons = withComparisons(old.comparisons, page.comparisons);
  if (page.branch.length === 0)
    return { ...old, messages, comparisons, ...(page.later ? { earlier: false } : { later: false }) };
  const above = stretchAbove(old, messages, page);
  const below = page.later ? stretchBelow(old, page) : null;
  return {
    ...page,
    messages,
    comparisons,
    branch: [...above, ...page.branch, ...(below ?? [])],
    earlier: above.length > 0 ? old.earlier : page.earlier,
    later: below ? old.later : page.later,
    anchor: old.anchor,
  };
}

function stretchAbove(old: Loaded, messages: Message[], page: ConversationWithMessages): string[] {
  const first = messages.find(({ id }) => id === page.branch[0]);
  const parent = first?.parent_id ? old.branch.indexOf(first.parent_id) : -1;
  return old.branch.slice(0, parent + 1);
}

/** What follows the page; a page before everything that is loaded ends where that begins. */
function stretchBelow(old: Loaded, page: ConversationWithMessages): string[] | null {
  const last = page.branch.at(-1);
  const start = old.messages.find(({ id }) => id === old.branch[0]);
  if (start && start.parent_id === last) return old.branch;
  const place = last ? old.branch.indexOf(last) : -1;
  return place >= 0 ? old.branch.slice(place + 1) : null;
}

/** With new or newer messages. A new one continues the branch that is shown after its parent, and is then followed. */
export function withMessages(old: Loaded, incoming: Message[]): Loaded {
  const known = new Set(old.messages.map(({ id }) => id));
  const added = incoming.filter(({ id }) => !known.has(id));
  const messages = merged(old.messages, incoming);
  if (added.length === 0) return { ...old, messages };
  let { branch } = old;
  for (const { id, parent_id: parentId } of added) {
    const place = parentId ? branch.indexOf(parentId) : -1;
    if (place >= 0 || branch.length === 0 || (parentId === null && !old.earlier))
      branch = [...branch.slice(0, place + 1), id];
  }
  return { ...old, messages, branch, later: false, anchor: null };
}

/** The branch through a message beside the one that is shown, as far down as it is loaded. */
export function onBranch(old: Loaded, messageId: string): Loaded {
  const chosen = old.messages.find(({ id }) => id === messageId);
  if (!chosen) return { ...old, anchor: messageId };
  const place = chosen.parent_id ? old.branch.indexOf(chosen.parent_id) : -1;
  const branch = [...old.branch.slice(0, place + 1), ...newestBelow(old.messages, chosen)];
  return { ...old, branch, later: false, anchor: messageId };
}

/** A message and what follows it, on the way to the newest message below it. */
function newestBelow(messages: Message[], top: Message): string[] {
  const parents = new Map(messages.map(({ id, parent_id }) => [id, parent_id]));
  for (const { id } of messages.toSorted(byAge).reverse()) {
    const path = pathTo(parents, top.id, id);
    if (path) return path;
  }
  return [top.id];
}

function pathTo(parents: Map<string, string | null>, top: string, bottom: string): string[] | null {
  const path: string[] = [];
  const seen = new Set<string>();
  for (let id: string | null | undefined = bottom; id && !seen.has(id); id = parents.get(id)) {
    seen.add(id);
    path.push(id);
    if (id === top) return path.reverse();
  }
  return null;
}
