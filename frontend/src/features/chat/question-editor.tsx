import { useQueries } from '@tanstack/react-query';
import { type KeyboardEvent, useMemo, useState } from 'react';
import type { Message } from '@/api/generated';
import { getAttachmentOptions } from '@/api/generated/@tanstack/react-query.gen';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { MAX_MESSAGE_CHARACTERS } from '@/config/app';
import { focusOnce } from '@/lib/focus';
import AttachmentChips, { type Chip } from './attachment-chips';
import { cutWords, rereadWords } from './estimate-words';
import PromptGauge from './prompt-gauge';
import { useEstimate } from './use-estimate';
import type { Files } from './use-send';

interface QuestionEditorProps {
  message: Message;
  /** Why it cannot be sent now, if so. */
  blocked: string | null;
  onSend: (question: Message, content: string, files: Files) => void;
  onCancel: () => void;
}

/** Asks a question in another way, in its place. Keys are those of the composer; Escape leaves it as it was. */
export default function QuestionEditor({ message, blocked, onSend, onCancel }: QuestionEditorProps) {
  const [text, setText] = useState(message.content);
  const { files, loading, remove } = useFilesOf(message);
  const place = { conversationId: message.conversation_id, spot: { besideId: message.id }, above: '' };
  const estimate = useEstimate(place, loading ? '' : text, loading ? NONE : files);
  const unchanged = text === message.content && files.length === message.attachments.length;
  const cut =
    estimate &&
    cutWords(
      estimate,
      files.map(({ name }) => name),
    );
  const warning = cut ?? (estimate && !unchanged ? rereadWords(estimate) : null);
  const reason = blocked ?? (loading ? 'Opening the files…' : reasonNotToSend(text, unchanged));
  const send = () => {
    if (!reason && !cut) onSend(message, text, files);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape') onCancel();
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    send();
  };
  return (
    <div className="flex flex-col gap-2 rounded-2xl border border-input bg-card p-3 shadow-card focus-within:border-ring">
      {files.length > 0 && <AttachmentChips files={files} onRemove={remove} />}
      <textarea
        ref={focusOnce}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        aria-label="Edit your question"
        className="field-sizing-content max-h-[50dvh] min-h-12 w-full resize-none bg-transparent px-1 pointer-coarse:text-[1rem] outline-none"
      />
      {warning && <Notice tone="warning">{warning}</Notice>}
      <div className="flex flex-wrap items-center justify-end gap-2">
        <p className="min-w-40 flex-1 px-1 text-muted-foreground text-xs">
          {reason ??
            (estimate ? <PromptGauge estimate={estimate} /> : 'The answers there are stay beside it.')}
        </p>
        <Button size="sm" onClick={onCancel}>
          Cancel
        </Button>
        <Button size="sm" variant="primary" disabled={Boolean(reason ?? cut)} onClick={send}>
          Send
        </Button>
      </div>
    </div>
  );
}

const NONE: Files = [];

interface Loaded extends Chip {
  content: string;
}

/** The files of a question with their texts, but for those that were removed. */
function useFilesOf({ attachments }: Message) {
  const [removed, setRemoved] = useState<readonly string[]>([]);
  const kept = attachments.filter(({ id }) => !removed.includes(id));
  const { texts, loading } = useQueries({
    queries: kept.map(({ id }) => ({
      ...getAttachmentOptions({ path: { attachment_id: id } }),
      staleTime: Number.POSITIVE_INFINITY,
    })),
    combine: (results) => ({
      texts: results.map(({ data }) => data?.content),
      loading: results.some(({ data }) => !data),
    }),
  });
  const key = kept.map(({ id }) => id).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the ids stand for the files, which never change
  const files = useMemo<Loaded[]>(
    () => kept.map((file, place) => ({ ...file, content: texts[place] ?? '' })),
    [key, loading],
  );
  return { files, loading, remove: (id: string) => setRemoved((old) => [...old, id]) };
}

function reasonNotToSend(text: string, unchanged: boolean): string | null {
  if (text.trim() === '') return 'Write something first.';
  if (text.length > MAX_MESSAGE_CHARACTERS) return 'This is too long to send; shorten it.';
  return unchanged ? 'Change something, or ask for another answer instead.' : null;
}
