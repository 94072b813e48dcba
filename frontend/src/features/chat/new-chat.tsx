import { useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import { useTitle } from '@/lib/use-title';
import { ChatDock } from './chat-dock';
import { useAttachments } from './use-attachments';
import { useNewChatSettings } from './use-chat-settings';
import { useDraft } from './use-draft';
import type { Place } from './use-estimate';
import { type Sent, useSend } from './use-send';
import { Welcome } from './welcome';

/** The empty page: the first message makes the conversation. */
export function NewChat() {
  useTitle(null);
  const navigate = useNavigate();
  const { draft, setDraft, clearDraft } = useDraft(null);
  const attachments = useAttachments(null);
  const { clear: clearFiles } = attachments;
  const onSent = useCallback(
    ({ conversationId, content, files }: Sent) => {
      clearDraft(content);
      clearFiles(files);
      void navigate({ to: '/c/$conversationId', params: { conversationId } });
    },
    [navigate, clearDraft, clearFiles],
  );
  const chosen = useNewChatSettings();
  const { settings } = chosen;
  const sending = useSend(null, onSent, settings);
  const place: Place = { conversationId: null, spot: {}, above: JSON.stringify(settings), settings };
  const pick = (prompt: string) => {
    setDraft(prompt);
    sending.send(prompt);
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <Welcome
        onPick={pick}
        disabled={sending.state.kind === 'sending' || sending.state.kind === 'waiting'}
      />
      <ChatDock
        sending={sending}
        onSend={(content, files, models) => sending.send(content, {}, files, models)}
        draft={draft}
        onDraft={setDraft}
        attachments={attachments}
        place={place}
        answering={[]}
        chosen={chosen}
      />
    </div>
  );
}
