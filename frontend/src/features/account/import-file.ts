/** Our own export, read and cut into portions that the server takes at once. Pure; the server checks what is in it. */

export interface Exported {
  title?: string;
  messages?: unknown[];
}

/** The server takes 10 MiB, 1,000 conversations and 20,000 messages at a time. */
const PORTION = { bytes: 4_000_000, conversations: 200, messages: 5_000 } as const;

const FORMAT = 'codellama-conversations';

/** The conversations in a file: an export of conversations, or the one of all data. Throws a sentence for people. */
export function conversationsIn(text: string): Exported[] {
  const file = parsed(text);
  const found = file?.format === FORMAT ? file : file?.conversations;
  if (!isRecord(found) || found.format !== FORMAT || !Array.isArray(found.conversations)) {
    throw new Error('This is no export of ours. Choose a file that “Export conversations” made.');
  }
  if (found.version !== 1) {
    throw new Error('A newer version made this file. Ask an administrator to update this server first.');
  }
  return found.conversations as Exported[];
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Conversations in their order, as many together as may be sent at once; a very large one goes alone. */
export function portionsOf(conversations: readonly Exported[]): Exported[][] {
  const portions: Exported[][] = [];
  let bytes = 0;
  let messages = 0;
  for (const conversation of conversations) {
    const size = new Blob([JSON.stringify(conversation)]).size;
    const count = conversation.messages?.length ?? 0;
    const last = portions.at(-1);
    const fits =
      last &&
      last.length < PORTION.conversations &&
      bytes + size <= PORTION.bytes &&
      messages + count <= PORTION.messages;
    if (fits) last.push(conversation);
    else portions.push([conversation]);
    bytes = fits ? bytes + size : size;
    messages = fits ? messages + count : count;
  }
  return portions;
}
