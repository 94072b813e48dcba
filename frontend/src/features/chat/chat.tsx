import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useRef } from 'react';
import type { Message } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { useTitle } from '@/lib/use-title';
import { ChatDock } from './chat-dock';
import type { ComposerHandle } from './composer';
import { conversationQuery } from './queries';
import { isActive, threadOf } from './thread';
import { ThreadView } from './thread-view';
import { useDraft } from './use-draft';
import { type Sent, useSend } from './use-send';

const NOTHING: Message[] = [];

/** A conversation. Give it the id as key: drafts and sends belong to one conversation. */
export function Chat({ conversationId }: { conversationId: string }) {
  const { data, error, refetch } = useQuery(conversationQuery(conversationId));
  const messages = data?.messages ?? NOTHING;
  const thread = useMemo(() => threadOf(messages), [messages]);
  const composer = useRef<ComposerHandle>(null);
  const title = data ? data.title || 'New chat' : null;
  useTitle(title);

  const { draft, setDraft, clearDraft } = useDraft(conversationId);
  const onSent = useCallback(
    ({ content }: Sent) => {
      clearDraft(content);
      composer.current?.focus();
    },
    [clearDraft],
  );
  const sending = useSend(conversationId, onSent);
  const { send } = sending;
  const retry = useCallback((question: Message) => send(question.content, question.parent_id), [send]);

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <h1 className="sr-only">{title ?? 'Conversation'}</h1>
      {data ? (
        <ThreadView thread={thread} onRetry={retry} />
      ) : (
        <div className="flex-1 p-4 sm:p-6">
          {error ? (
            <Notice
              tone="error"
              className="mx-auto max-w-[46rem]"
              actions={
                <Button size="sm" onClick={() => void refetch()}>
                  Try again
                </Button>
              }
            >
              {sentenceOf(error)}
            </Notice>
          ) : (
            <p role="status" className="text-center text-muted-foreground text-sm">
              Opening the conversation…
            </p>
          )}
        </div>
      )}
      <ChatDock
        handle={composer}
        sending={sending}
        draft={draft}
        onDraft={setDraft}
        answering={thread.find(isActive) ?? null}
      />
    </div>
  );
}
