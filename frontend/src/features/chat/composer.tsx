import { ArrowUp, BookMarked, Square } from 'lucide-react';
import { type KeyboardEvent, type Ref, useEffect, useImperativeHandle, useRef } from 'react';
import { IconButton } from '@/components/ui/button';
import { MAX_MESSAGE_CHARACTERS } from '@/config/app';
import { formatCount } from '@/lib/format';
import { usePromptLibrary } from '@/lib/prompt-library';

export interface ComposerHandle {
  focus: () => void;
}

interface ComposerProps {
  draft: string;
  onDraft: (text: string) => void;
  onSend: (text: string) => void;
  /** Stops the answer that is being made; null when there is none. */
  onStop: (() => void) | null;
  stopping: boolean;
  /** A message is on its way or waits to be sent again. */
  busy: boolean;
  /** Why nothing can be sent at all, if so. */
  blocked: string | null;
  handle?: Ref<ComposerHandle>;
}

/** Where messages are written. Enter sends, Shift+Enter starts a new line, Escape stops the answer. */
export function Composer({ draft, onDraft, onSend, onStop, stopping, busy, blocked, handle }: ComposerProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  useImperativeHandle(handle, () => ({ focus: () => area.current?.focus() }), []);
  useAutofocus(area);
  const library = usePromptLibrary();
  usePrompts(draft, onDraft, area);

  const reason = blocked ?? reasonNotToSend(draft, onStop !== null, busy);
  const notSent = reason && draft.trim() !== '' ? sentence(reason) : null;
  const send = () => {
    if (!reason) onSend(draft);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    // The stroke is written as well: whoever wants to begin with one goes on from it with Escape.
    if (event.key === '/' && draft === '' && !busy) library.choose();
    if (event.key === 'Escape' && onStop && !stopping) onStop();
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    send();
  };

  return (
    <div className="rounded-2xl border border-input bg-card shadow-card transition-colors focus-within:border-ring">
      <textarea
        ref={area}
        data-composer
        value={draft}
        onChange={(event) => onDraft(event.target.value)}
        onKeyDown={onKeyDown}
        readOnly={busy}
        rows={1}
        aria-label="Message"
        placeholder="Ask about code…"
        className="field-sizing-content block max-h-[40dvh] min-h-12 w-full pointer-coarse:text-[1rem] resize-none bg-transparent px-4 pt-3 pb-1 outline-none placeholder:text-muted-foreground"
      />
      <div className="flex items-center gap-2 p-2">
        <IconButton label="Saved prompts" size="icon-lg" disabled={busy} onClick={library.choose}>
          <BookMarked aria-hidden />
        </IconButton>
        <p className="min-w-0 flex-1 truncate text-muted-foreground text-xs" title={reason ?? undefined}>
          {notSent ?? (
            <span className="pointer-coarse:hidden">
              Enter sends, Shift+Enter starts a new line, / puts in a prompt
            </span>
          )}
        </p>
        {onStop ? (
          <IconButton label="Stop" variant="primary" size="icon-lg" disabled={stopping} onClick={onStop}>
            <Square aria-hidden className="fill-current" />
          </IconButton>
        ) : (
          <IconButton
            label={reason ? `Send (${reason})` : 'Send'}
            variant="primary"
            size="icon-lg"
            disabled={reason !== null}
            onClick={send}
          >
            <ArrowUp aria-hidden />
          </IconButton>
        )}
      </div>
    </div>
  );
}

function reasonNotToSend(draft: string, answering: boolean, busy: boolean): string | null {
  if (busy) return 'sending';
  if (answering) return 'an answer is being written; stop it to ask something else';
  if (draft.length > MAX_MESSAGE_CHARACTERS) {
    return `${formatCount(draft.length - MAX_MESSAGE_CHARACTERS)} characters too long`;
  }
  return draft.trim() === '' ? 'write something first' : null;
}

function sentence(reason: string): string {
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}

/** Takes prompts of the library: in place of the stroke that asked for them, and otherwise below what is there. */
function usePrompts(
  draft: string,
  onDraft: (text: string) => void,
  area: { current: HTMLTextAreaElement | null },
): void {
  const { receive } = usePromptLibrary();
  const latest = useRef({ draft, onDraft });
  useEffect(() => {
    latest.current = { draft, onDraft };
  });
  useEffect(
    () =>
      receive((content) => {
        const { draft: before, onDraft: change } = latest.current;
        const kept = before === '/' ? '' : before.trimEnd();
        change(kept === '' ? content : `${kept}\n\n${content}`);
        area.current?.focus();
      }),
    [receive, area],
  );
}

/** Ready for typing at once, except on touch screens, where it would raise the keyboard. */
function useAutofocus(area: { current: HTMLTextAreaElement | null }): void {
  useEffect(() => {
    if (window.matchMedia('(pointer: fine)').matches) area.current?.focus();
  }, [area]);
}
