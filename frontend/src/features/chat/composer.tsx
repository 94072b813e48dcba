import { ArrowUp, BookMarked, Square } from 'lucide-react';
import {
  type ClipboardEvent,
  type DragEvent,
  type KeyboardEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from 'react';
import { IconButton } from '@/components/ui/button';
import { LONG_PASTE_CHARACTERS, MAX_MESSAGE_CHARACTERS } from '@/config/app';
import { cn } from '@/lib/cn';
import { formatCount } from '@/lib/format';
import { usePromptLibrary } from '@/lib/prompt-library';
import { CompareButton } from './compare-button';

export interface ComposerHandle {
  focus: () => void;
}

interface ComposerProps {
  draft: string;
  onDraft: (text: string) => void;
  onSend: (text: string) => void;
  /** The models that can be compared with the one that is chosen, and what asks both. */
  others?: string[];
  onCompare?: (text: string, other: string) => void;
  /** Stops the answer that is being made; null when there is none. */
  onStop: (() => void) | null;
  stopping: boolean;
  /** A message is on its way or waits to be sent again. */
  busy: boolean;
  /** Why nothing can be sent at all, if so. */
  blocked: string | null;
  /** Files were dropped or pasted. */
  onFiles?: (files: File[]) => void;
  /** So much text was pasted that it had better be a file. */
  onLongPaste?: (text: string) => void;
  /** What stands above the text: the files that go with it. */
  top?: ReactNode;
  /** Buttons beside the one that sends. */
  tools?: ReactNode;
  /** What is to be known of the draft, while nothing keeps it from being sent. */
  status?: ReactNode;
  handle?: Ref<ComposerHandle>;
}

/** Where messages are written. Enter sends, Shift+Enter starts a new line, Escape stops the answer. */
export function Composer(props: ComposerProps) {
  const { draft, onDraft, onSend, others, onCompare, onStop, stopping, busy, blocked, onFiles, handle } =
    props;
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

  const onPaste = (event: ClipboardEvent) => {
    const { files } = event.clipboardData;
    if (onFiles && files.length > 0) {
      event.preventDefault();
      onFiles([...files]);
      return;
    }
    const text = event.clipboardData.getData('text/plain').replaceAll('\r\n', '\n');
    if (text.length >= LONG_PASTE_CHARACTERS) props.onLongPaste?.(text);
  };
  const { dropping, handlers } = useDrop(busy ? undefined : onFiles);

  return (
    <section
      aria-label="Your message"
      {...handlers}
      className={cn(
        'relative rounded-2xl border border-input bg-card shadow-card transition-colors focus-within:border-ring',
        dropping && 'border-ring border-dashed bg-accent',
      )}
    >
      {props.top && <div className="px-3 pt-3">{props.top}</div>}
      <textarea
        ref={area}
        data-composer
        value={draft}
        onChange={(event) => onDraft(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        readOnly={busy}
        rows={1}
        aria-label="Message"
        placeholder="Ask about code…"
        className="field-sizing-content block max-h-[40dvh] min-h-12 w-full pointer-coarse:text-[1rem] resize-none bg-transparent px-4 pt-3 pb-1 outline-none placeholder:text-muted-foreground"
      />
      <div className="flex items-center gap-2 p-2">
        <div className="flex">
          {props.tools}
          <IconButton label="Saved prompts" size="icon-lg" disabled={busy} onClick={library.choose}>
            <BookMarked aria-hidden />
          </IconButton>
        </div>
        <p className="min-w-0 flex-1 truncate text-muted-foreground text-xs" title={reason ?? undefined}>
          {notSent ??
            (props.status || (
              <span className="pointer-coarse:hidden">
                Enter sends, Shift+Enter starts a new line, / puts in a prompt
              </span>
            ))}
        </p>
        {others && onCompare && !onStop && (
          <CompareButton others={others} reason={reason} onCompare={(other) => onCompare(draft, other)} />
        )}
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
    </section>
  );
}

/** Files that are dragged over it and let go. */
function useDrop(onFiles: ((files: File[]) => void) | undefined) {
  const [dropping, setDropping] = useState(false);
  if (!onFiles) return { dropping: false, handlers: {} };
  const handlers = {
    onDragOver: (event: DragEvent) => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      setDropping(true);
    },
    onDragLeave: () => setDropping(false),
    onDrop: (event: DragEvent) => {
      setDropping(false);
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      onFiles([...event.dataTransfer.files]);
    },
  };
  return { dropping, handlers };
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
