/** Names and limits of the application, in one place. */
export const APP_NAME = 'Code Assistant';

/** The backend refuses longer messages. */
export const MAX_MESSAGE_CHARACTERS = 200_000;

/** A conversation's system prompt, in characters. */
export const MAX_SYSTEM_PROMPT_CHARACTERS = 20_000;

/** A comment on an answer, in characters. */
export const MAX_COMMENT_CHARACTERS = 4000;

/** The backend refuses more files with a question, and larger ones (there it counts characters: never more than bytes). */
export const MAX_FILES = 20;
export const MAX_FILE_BYTES = 256_000;
export const MAX_FILES_BYTES = 512_000;

/** From so many characters on, what is pasted had better be a file. */
export const LONG_PASTE_CHARACTERS = 8_000;

/** How long somebody has to stop typing before the page asks what the question would cost, in milliseconds. */
export const ESTIMATE_DELAY_MS = 600;

/** A conversation's title, in characters. */
export const MAX_TITLE_CHARACTERS = 200;

export const CONVERSATIONS_PAGE_SIZE = 50;

/** Messages of a conversation that are loaded at once. */
export const MESSAGES_PAGE_SIZE = 50;

/** A folder's name, in characters. */
export const MAX_FOLDER_CHARACTERS = 60;

/** The backend refuses shorter passwords. */
export const MIN_PASSWORD_CHARACTERS = 12;

/** Names of people and of API keys, and addresses, in characters. */
export const MAX_NAME_CHARACTERS = 200;
export const MAX_EMAIL_CHARACTERS = 320;

/** Users, or entries of the audit log, on a page. */
export const ADMIN_PAGE_SIZE = 50;

/** A source file that is learned from: the backend turns larger ones down. */
export const MAX_SOURCE_BYTES = 200_000;

/** Source files that are uploaded in one request: the backend takes 500, and 10 MiB. */
export const UPLOAD_BATCH_FILES = 100;
export const UPLOAD_BATCH_BYTES = 2_000_000;

/** Names of repositories and licenses, in characters. */
export const MAX_REPO_CHARACTERS = 200;
export const MAX_LICENSE_CHARACTERS = 100;

/** How long a search waits for the next letter, in milliseconds. */
export const SEARCH_DELAY_MS = 250;

/** How often a conversation is asked for while an answer in it is being made, in milliseconds. */
export const ACTIVE_POLL_MS = 10_000;

/** How often pages about a running training ask again, in milliseconds. */
export const TRAINING_POLL_MS = 3_000;
export const IDLE_POLL_MS = 30_000;

export const STORAGE_KEYS = {
  theme: 'assistant.theme',
  wrap: 'assistant.wrap',
  /** Whether a group of conversations is open: a folder, or the archive. */
  group: (name: string) => `assistant.group.${name}`,
  draft: (conversationId: string | null) => `assistant.draft.${conversationId ?? 'new'}`,
} as const;
