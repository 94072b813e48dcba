import type { SavedPrompt } from '@/api/generated';
import { sentenceAt, sentenceOf } from '@/api/problem';
import { Field, TextArea } from '@/components/ui/field';
import { FormDialog } from '@/components/ui/form-dialog';
import { MAX_MESSAGE_CHARACTERS, MAX_TITLE_CHARACTERS } from '@/config/app';
import { useSavePrompt } from './queries';

interface PromptDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** The prompt to change; null makes a new one. */
  prompt: SavedPrompt | null;
  /** What a new one says to begin with. */
  content?: string;
  onSaved?: (prompt: SavedPrompt) => void;
}

/** Names a prompt and writes what it says. Give it a new key each time, to begin afresh. */
export function PromptDialog({ open, onOpenChange, prompt, content = '', onSaved }: PromptDialogProps) {
  const save = useSavePrompt(prompt?.id ?? null);
  const atTitle = sentenceAt(save.error, 'title');
  const submit = (form: FormData) =>
    save.mutate(
      { title: String(form.get('title')).trim(), content: String(form.get('content')) },
      {
        onSuccess: (saved) => {
          onOpenChange(false);
          onSaved?.(saved);
        },
      },
    );
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title={prompt ? 'Change this prompt' : 'New prompt'}
      description="Only you see it. It is put into the message field, where you can change it before it is sent."
      action="Save"
      pending={save.isPending}
      error={save.isError && !atTitle ? sentenceOf(save.error) : null}
      onSubmit={submit}
    >
      <Field
        label="Name"
        name="title"
        required
        pattern=".*\S.*"
        maxLength={MAX_TITLE_CHARACTERS}
        autoComplete="off"
        defaultValue={prompt?.title ?? titleOf(content)}
        error={atTitle}
      />
      <TextArea
        label="Text"
        name="content"
        required
        maxLength={MAX_MESSAGE_CHARACTERS}
        defaultValue={prompt?.content ?? content}
      />
    </FormDialog>
  );
}

/** A name to begin with: the beginning of the first line. */
function titleOf(content: string): string {
  return content.trim().split('\n', 1)[0]?.slice(0, 60) ?? '';
}
