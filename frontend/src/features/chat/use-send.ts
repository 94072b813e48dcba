import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import {
  beginComparison,
  type ChatSettings,
  type Comparison,
  type ConversationDetail,
  continueAnswer,
  createConversation,
  type Message,
  type NewAttachment,
  regenerateAnswer,
  sendMessage,
  updateConversation,
} from '@/api/generated';
import { meQuery } from '@/api/me';
import { ApiError, sentenceOf } from '@/api/problem';
import { randomId } from '@/lib/ids';
import { tellOtherTabs } from '@/lib/tabs';
import { areSame, DEFAULT_SETTINGS } from './chat-settings';
import { refreshConversationList, storeComparison, storeConversation, storeMessages } from './queries';

/** Where a send is. `waiting`: the queue is full, it is sent again at `until` (milliseconds since the epoch). */
export type SendState =
  | { kind: 'idle' }
  | { kind: 'sending' }
  | { kind: 'waiting'; until: number; detail: string }
  | { kind: 'failed'; detail: string; retryable: boolean };

/** What the server is asked for. The key is the same for every try, so that however often it is sent it is done once. */
type Attempt =
  | { kind: 'message'; content: string; files: Files; spot: Spot; models: Pair | null; key: string }
  | { kind: 'another'; answerId: string; key: string }
  | { kind: 'more'; answerId: string };

/** Where a question belongs: after a message, beside another question, or after the newest message. */
export interface Spot {
  parentId?: string | null;
  besideId?: string;
}

export type Files = readonly NewAttachment[];

/** Two models to compare. */
export type Pair = [string, string];

/** What has been started. */
interface Started {
  messages: Message[];
  comparison: Comparison | null;
}

export interface Sent {
  conversationId: string;
  content: string;
  files: Files;
  spot: Spot;
}

const NO_FILES: Files = [];
const IDLE: SendState = { kind: 'idle' };
const DEFAULT_WAIT_S = 5;
/** The server says when there is room at the latest; those before may stop, or answer shortly. */
const LONGEST_WAIT_S = 30;

/** Asks for answers in a conversation, or in a new one with these settings when `conversationId` is null. */
export function useSend(
  conversationId: string | null,
  onSent: (sent: Sent) => void,
  settings: ChatSettings = DEFAULT_SETTINGS,
) {
  const client = useQueryClient();
  const [state, setState] = useState<SendState>(IDLE);
  const attempt = useRef<Attempt | null>(null);
  const created = useRef<ConversationDetail | null>(null);

  const store = useCallback(
    (id: string, { messages, comparison }: Started) => {
      if (created.current)
        storeConversation(client, created.current, messages, comparison ? [comparison] : []);
      else {
        if (comparison) storeComparison(client, id, comparison);
        storeMessages(client, id, messages);
      }
      void refreshConversationList(client);
      tellOtherTabs(id);
    },
    [client],
  );

  const run = useCallback(async () => {
    const current = attempt.current;
    if (!current) return;
    setState({ kind: 'sending' });
    try {
      if (!conversationId) created.current = await settled(created.current, settings);
      const id = conversationId ?? created.current?.id ?? '';
      const result = await post(id, current);
      attempt.current = null;
      setState(IDLE);
      store(id, result);
      if (current.kind === 'message') onSent({ conversationId: id, ...current });
    } catch (error) {
      setState(refused(error));
      // Whoever asks who is signed in is led to the sign-in; the draft waits.
      if (error instanceof ApiError && error.status === 401)
        void client.invalidateQueries({ queryKey: meQuery().queryKey });
    }
  }, [client, conversationId, onSent, store, settings]);

  const send = useCallback(
    (content: string, spot: Spot = {}, files: Files = NO_FILES, models: Pair | null = null) => {
      const previous = attempt.current;
      const same =
        previous?.kind === 'message' &&
        previous.content === content &&
        previous.files === files &&
        previous.spot.parentId === spot.parentId &&
        previous.spot.besideId === spot.besideId &&
        previous.models?.join() === models?.join();
      attempt.current = same ? previous : { kind: 'message', content, files, spot, models, key: randomId() };
      void run();
    },
    [run],
  );

  const regenerate = useCallback(
    (answerId: string) => {
      const previous = attempt.current;
      const same = previous?.kind === 'another' && previous.answerId === answerId;
      attempt.current = same ? previous : { kind: 'another', answerId, key: randomId() };
      void run();
    },
    [run],
  );

  const goOn = useCallback(
    (answerId: string) => {
      attempt.current = { kind: 'more', answerId };
      void run();
    },
    [run],
  );

  const cancel = useCallback(() => setState(IDLE), []);

  useEffect(() => {
    if (state.kind !== 'waiting') return;
    const timer = setTimeout(() => void run(), Math.max(0, state.until - Date.now()));
    return () => clearTimeout(timer);
  }, [state, run]);

  return { state, send, regenerate, goOn, retry: run, cancel };
}

/** The new conversation with these settings: one that a failed try has made already gets them too. */
async function settled(made: ConversationDetail | null, settings: ChatSettings): Promise<ConversationDetail> {
  if (made && areSame(made.settings, settings)) return made;
  const body = { settings };
  if (!made) return (await createConversation({ body, throwOnError: true })).data;
  return (await updateConversation({ path: { conversation_id: made.id }, body, throwOnError: true })).data;
}

async function post(conversationId: string, attempt: Attempt): Promise<Started> {
  if (attempt.kind === 'message' && attempt.models) {
    const { data } = await beginComparison({
      path: { conversation_id: conversationId },
      body: { ...bodyOf(attempt), models: attempt.models },
      throwOnError: true,
    });
    return { messages: [data.user_message, data.left, data.right], comparison: data.comparison };
  }
  const { data } = await request(conversationId, attempt);
  return { messages: [data.user_message, data.assistant_message], comparison: null };
}

function bodyOf({ content, files, spot, key }: Attempt & { kind: 'message' }) {
  return {
    content,
    attachments: files.map(({ name, content }) => ({ name, content })),
    parent_id: spot.parentId,
    beside_id: spot.besideId,
    idempotency_key: key,
  };
}

function request(conversationId: string, attempt: Attempt) {
  switch (attempt.kind) {
    case 'message':
      return sendMessage({
        path: { conversation_id: conversationId },
        body: bodyOf(attempt),
        throwOnError: true,
      });
    case 'another':
      return regenerateAnswer({
        path: { message_id: attempt.answerId },
        body: { idempotency_key: attempt.key },
        throwOnError: true,
      });
    case 'more':
      return continueAnswer({ path: { message_id: attempt.answerId }, throwOnError: true });
  }
}

function refused(error: unknown): SendState {
  const detail = sentenceOf(error);
  if (!(error instanceof ApiError)) return { kind: 'failed', detail, retryable: true };
  if (error.status === 429) {
    const waitS = Math.min(error.retryAfterS ?? DEFAULT_WAIT_S, LONGEST_WAIT_S);
    return { kind: 'waiting', until: Date.now() + waitS * 1000, detail };
  }
  return { kind: 'failed', detail, retryable: error.status === 0 || error.status >= 500 };
}
