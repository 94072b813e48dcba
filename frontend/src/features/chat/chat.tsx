import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Message } from '@/api/generated';
import { ApiError, sentenceOf } from '@/api/problem';
import { useMarkdown } from '@/components/markdown/markdown';
import { Button, buttonClass } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { toast } from '@/components/ui/toaster';
import { whenOtherTabsTell } from '@/lib/tabs';
import { useTitle } from '@/lib/use-title';
import { ChatDock } from './chat-dock';
import type { ComposerHandle } from './composer';
import {
  conversationQuery,
  endOfBranch,
  leaveConversation,
  refreshConversation,
  showMessage,
} from './queries';
import { beingWritten, openComparison, threadOf } from './thread';
import { ThreadSkeleton } from './thread-skeleton';
import { ThreadView } from './thread-view';
import { useAttachments } from './use-attachments';
import { useChatSettings } from './use-chat-settings';
import { useDraft } from './use-draft';
import { type Files, type Pair, type Sent, useSend } from './use-send';

const nothing = () => undefined;

const VOTE_FIRST = 'Two answers are being compared; vote, or end the comparison.';

interface ChatProps {
  conversationId: string;
  /** A message to bring into view and to mark. */
  message?: string | null;
  /** The message has been shown. */
  onShown?: () => void;
}

/** A conversation. Give it the id as key: drafts and sends belong to one conversation. */
export function Chat({ conversationId, message = null, onShown = nothing }: ChatProps) {
  const client = useQueryClient();
  const { data, error, refetch } = useQuery(conversationQuery(conversationId, message));
  const isGone = !data && error instanceof ApiError && error.status === 404;
  const formats = useMarkdown();
  const thread = useMemo(() => (data ? threadOf(data) : []), [data]);
  useEffect(() => {
    if (message) void showMessage(client, conversationId, message);
  }, [client, conversationId, message]);
  useEffect(() => () => leaveConversation(client, conversationId), [client, conversationId]);
  useEffect(
    () => whenOtherTabsTell(conversationId, () => void refreshConversation(client, conversationId)),
    [client, conversationId],
  );

  const chosen = useChatSettings(conversationId, data?.settings);

  const composer = useRef<ComposerHandle>(null);
  const title = data ? data.title || 'New chat' : null;
  useTitle(title);

  const { draft, setDraft, clearDraft } = useDraft(conversationId);
  const attachments = useAttachments(conversationId);
  const { clear: clearFiles } = attachments;
  const [edited, setEdited] = useState<string | null>(null);
  const onSent = useCallback(
    ({ content, files, spot }: Sent) => {
      if (spot.besideId) setEdited(null);
      else {
        clearDraft(content);
        clearFiles(files);
      }
      composer.current?.focus();
    },
    [clearDraft, clearFiles],
  );
  const sending = useSend(conversationId, onSent);
  const { send } = sending;
  const sendAtEnd = useCallback(
    (content: string, files: Files, models?: Pair) => {
      endOfBranch(client, conversationId).then(
        (parentId) => send(content, { parentId }, files, models),
        (reason) => toast(`The message was not sent. ${sentenceOf(reason)}`),
      );
    },
    [client, conversationId, send],
  );
  const open = data ? openComparison(data) : null;
  const answering = useMemo(() => (data ? beingWritten(data) : []), [data]);
  const busy =
    open !== null ||
    answering.length > 0 ||
    sending.state.kind === 'sending' ||
    sending.state.kind === 'waiting';
  const last = thread.at(-1);
  const place = {
    conversationId,
    spot: { parentId: data?.anchor ? last?.id : null },
    above: `${last?.id} ${last?.status} ${JSON.stringify(data?.settings)}`,
  };
  const editing = useMemo(
    () => ({
      id: edited,
      blocked: open ? VOTE_FIRST : busy ? 'An answer is on its way; wait for it, or stop it.' : null,
      open: setEdited,
      close: () => setEdited(null),
      send: (question: Message, content: string, files: Files) =>
        send(content, { besideId: question.id }, files),
    }),
    [edited, open, busy, send],
  );

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <h1 className="sr-only">{title ?? 'Conversation'}</h1>
      {data && formats ? (
        <ThreadView
          conversation={data}
          thread={thread}
          wanted={message}
          onShown={onShown}
          onRegenerate={busy ? undefined : sending.regenerate}
          onContinue={busy ? undefined : sending.goOn}
          editing={editing}
        />
      ) : (
        <div className="flex min-h-0 flex-1 flex-col overflow-hidden p-4 sm:p-6">
          {error && !data ? (
            <Notice
              tone="error"
              className="mx-auto w-full max-w-[46rem]"
              actions={
                isGone ? (
                  <Link to="/" className={buttonClass({ size: 'sm' })}>
                    New chat
                  </Link>
                ) : (
                  <Button size="sm" onClick={() => void refetch()}>
                    Try again
                  </Button>
                )
              }
            >
              {sentenceOf(error)}
            </Notice>
          ) : (
            <ThreadSkeleton />
          )}
        </div>
      )}
      {!isGone && (
        <ChatDock
          handle={composer}
          sending={sending}
          onSend={sendAtEnd}
          draft={draft}
          onDraft={setDraft}
          attachments={attachments}
          place={place}
          answering={answering}
          blocked={open && 'vote on the two answers first, or end the comparison'}
          chosen={chosen}
        />
      )}
    </div>
  );
}
