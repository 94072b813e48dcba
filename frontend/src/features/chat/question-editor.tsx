import { type KeyboardEvent, useState } from 'react';
import type { Message } from '@/api/generated';
import { Button } from '@/components/ui/button';
import { MAX_MESSAGE_CHARACTERS } from '@/config/app';
import { focusOnce } from '@/lib/focus';

interface QuestionEditorProps {
  message: Message;
  /** Why it cannot be sent now, if so. */
  blocked: string | null;
  onSend: (question: Message, content: string) => void;
  onCancel: () => void;
}

/** Asks a question in another way, in its place. Keys are those of the composer; Escape leaves it as it was. */
export default function QuestionEditor({ message, blocked, onSend, onCancel }: QuestionEditorProps) {
  const [text, setText] = useState(message.content);
  const reason = blocked ?? reasonNotToSend(text, message.content);
  const send = () => {
    if (!reason) onSend(message, text);
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
      <textarea
        ref={focusOnce}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        aria-label="Edit your question"
        className="field-sizing-content max-h-[50dvh] min-h-12 w-full resize-none bg-transparent px-1 pointer-coarse:text-[1rem] outline-none"
      />
      <div className="flex flex-wrap items-center justify-end gap-2">
        <p className="min-w-40 flex-1 px-1 text-muted-foreground text-xs">
          {reason ?? 'The answers to what it was before stay; you can go back to them.'}
        </p>
        <Button size="sm" onClick={onCancel}>
          Cancel
        </Button>
        <Button size="sm" variant="primary" disabled={reason !== null} onClick={send}>
          Send
        </Button>
      </div>
    </div>
  );
}

function reasonNotToSend(text: string, before: string): string | null {
  if (text.trim() === '') return 'Write something first.';
  if (text.length > MAX_MESSAGE_CHARACTERS) return 'This is too long to send; shorten it.';
  return text === before ? 'Change something, or ask for another answer instead.' : null;
}
