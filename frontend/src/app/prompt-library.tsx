import { Link, useNavigate } from '@tanstack/react-router';
import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from 'react';
import { buttonClass } from '@/components/ui/button';
import { toast } from '@/components/ui/toaster';
import { deferred, useDeferred } from '@/lib/deferred';
import { type PromptLibrary as Library, PromptLibraryContext } from '@/lib/prompt-library';
import { useDialog } from '@/lib/use-dialog';

const picker = deferred(() =>
  import('@/features/prompts/prompt-picker').then((module) => module.PromptPicker),
);
const editor = deferred(() =>
  import('@/features/prompts/prompt-dialog').then((module) => module.PromptDialog),
);

const UsePrompt = createContext<(content: string) => void>(() => undefined);

/** Puts a prompt into the message field, of a new chat where the page has none. */
export function useUsePrompt(): (content: string) => void {
  return useContext(UsePrompt);
}

/** The saved prompts, within reach on every page inside. */
export function PromptLibrary({ children }: { children: ReactNode }) {
  const navigate = useNavigate();
  const choosing = useDialog();
  const keeping = useDialog();
  const [content, setContent] = useState('');
  const Picker = useDeferred(picker, choosing.open);
  const Editor = useDeferred(editor, keeping.open);
  const field = useRef<((content: string) => void) | null>(null);
  const waiting = useRef<string | null>(null);

  const use = useCallback(
    (prompt: string) => {
      if (field.current) return field.current(prompt);
      waiting.current = prompt;
      void navigate({ to: '/' });
    },
    [navigate],
  );
  const keep = useCallback(
    (text: string) => {
      setContent(text);
      keeping.show();
    },
    [keeping.show],
  );
  const library = useMemo<Library>(
    () => ({
      choose: choosing.show,
      keep,
      receive: (insert) => {
        field.current = insert;
        if (waiting.current !== null) insert(waiting.current);
        waiting.current = null;
        return () => {
          if (field.current === insert) field.current = null;
        };
      },
    }),
    [choosing.show, keep],
  );
  const closeChoosing = () => choosing.onOpenChange(false);
  return (
    <PromptLibraryContext value={library}>
      <UsePrompt value={use}>{children}</UsePrompt>
      {Picker && choosing.turn > 0 && (
        <Picker
          key={`choose-${choosing.turn}`}
          open={choosing.open}
          onOpenChange={choosing.onOpenChange}
          onChosen={use}
          onNew={() => {
            closeChoosing();
            keep('');
          }}
          manage={
            <Link to="/prompts" onClick={closeChoosing} className={buttonClass({ variant: 'ghost' })}>
              All prompts
            </Link>
          }
        />
      )}
      {Editor && keeping.turn > 0 && (
        <Editor
          key={`keep-${keeping.turn}`}
          open={keeping.open}
          onOpenChange={keeping.onOpenChange}
          prompt={null}
          content={content}
          onSaved={({ title }) => toast(`“${title}” is kept among your prompts.`)}
        />
      )}
    </PromptLibraryContext>
  );
}
