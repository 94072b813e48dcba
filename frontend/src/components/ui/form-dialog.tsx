import { type FormEvent, type ReactNode, useState } from 'react';
import { Button } from './button';
import { Dialog } from './dialog';
import { Field } from './field';
import { Notice } from './notice';

interface FormDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  /** The fields; none where it only asks. */
  children?: ReactNode;
  action: string;
  danger?: boolean;
  pending: boolean;
  /** Why it did not work. The dialog stays open, with all that was typed. */
  error?: string | null;
  /** What has to be typed first, so that nothing is deleted by a slip of the hand. */
  phrase?: string;
  onSubmit: (form: FormData) => void;
  /** What came of it, in place of the form: something that is shown this once. */
  result?: ReactNode;
}

/** A question or a small form in a modal. */
export function FormDialog({ open, onOpenChange, title, description, result, ...form }: FormDialogProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      description={description}
      sticky={Boolean(result)}
    >
      {result ? (
        <div className="flex flex-col gap-4">
          {result}
          <Button variant="primary" className="self-end" onClick={() => onOpenChange(false)}>
            Done
          </Button>
        </div>
      ) : (
        <Form {...form} onCancel={() => onOpenChange(false)} />
      )}
    </Dialog>
  );
}

interface FormProps
  extends Pick<
    FormDialogProps,
    'children' | 'action' | 'danger' | 'pending' | 'error' | 'phrase' | 'onSubmit'
  > {
  onCancel: () => void;
}

function Form({ children, action, danger, pending, error, phrase, onSubmit, onCancel }: FormProps) {
  const [typed, setTyped] = useState('');
  const ready = !phrase || typed.trim().toLowerCase() === phrase.toLowerCase();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (ready && !pending) onSubmit(new FormData(event.currentTarget));
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {phrase && (
        <Field
          label={`Type ${phrase} to confirm`}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
        />
      )}
      {children}
      {error && <Notice tone="error">{error}</Notice>}
      <div className="flex justify-end gap-2">
        <Button onClick={onCancel}>Cancel</Button>
        <Button type="submit" variant={danger ? 'danger' : 'primary'} disabled={!ready || pending}>
          {pending ? 'One moment…' : action}
        </Button>
      </div>
    </form>
  );
}
