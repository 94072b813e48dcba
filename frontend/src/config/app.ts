/** Names and limits of the application, in one place. */
export const APP_NAME = 'Code Assistant';

/** The backend refuses longer messages. */
export const MAX_MESSAGE_CHARACTERS = 200_000;

/** A conversation's title, in characters. */
export const MAX_TITLE_CHARACTERS = 200;

export const CONVERSATIONS_PAGE_SIZE = 50;

/** How often a conversation is asked for while an answer in it is being made, in milliseconds. */
export const ACTIVE_POLL_MS = 10_000;

/** How often pages about a running training ask again, in milliseconds. */
export const TRAINING_POLL_MS = 3_000;
export const IDLE_POLL_MS = 30_000;

export const STORAGE_KEYS = {
  theme: 'assistant.theme',
  wrap: 'assistant.wrap',
  draft: (conversationId: string | null) => `assistant.draft.${conversationId ?? 'new'}`,
} as const;
