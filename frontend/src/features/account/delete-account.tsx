import type { Me } from '@/api/generated';
import { sentenceAt, sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Field } from '@/components/ui/field';
import { FormDialog } from '@/components/ui/form-dialog';
import { Card } from '@/components/ui/page';
import { useDialog } from '@/lib/use-dialog';
import { useDeleteMe } from './queries';

interface DeleteAccountProps {
  me: Me;
  onDeleted: () => void;
}

/** The way out, with all that is one's own. */
export function DeleteAccount({ me, onDeleted }: DeleteAccountProps) {
  const dialog = useDialog();
  if (me.auth_mode === 'local') {
    return (
      <Card>
        <p className="text-muted-foreground text-sm">
          This account cannot be deleted: the server runs for one person (AUTH_MODE=local), and this is its
          own account. You can delete your conversations and keys above.
        </p>
      </Card>
    );
  }
  return (
    <Card>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-3">
        <div className="min-w-0 max-w-[32rem]">
          <p className="font-medium text-sm">Delete your account</p>
          <p className="mt-1 text-muted-foreground text-sm">
            Your conversations, ratings, corrections, API calls and keys go with it, for good. From the next
            training run on nothing of them is used; versions that were trained earlier stay as they are.
          </p>
        </div>
        <Button variant="danger" onClick={dialog.show}>
          Delete account…
        </Button>
      </div>
      <DeleteDialog
        key={dialog.turn}
        me={me}
        open={dialog.open}
        onOpenChange={dialog.onOpenChange}
        onDeleted={onDeleted}
      />
    </Card>
  );
}

interface DeleteDialogProps extends DeleteAccountProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

function DeleteDialog({ me, open, onOpenChange, onDeleted }: DeleteDialogProps) {
  const remove = useDeleteMe(onDeleted);
  const atPassword = sentenceAt(remove.error, 'password');
  const submit = (form: FormData) => {
    const password = form.get('password');
    remove.mutate({ email: me.email, password: password === null ? null : String(password) });
  };
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title="Delete your account?"
      description="This cannot be undone, by an administrator neither. You are signed out at once."
      phrase={me.email}
      action="Delete for good"
      danger
      pending={remove.isPending}
      error={remove.isError && !atPassword ? sentenceOf(remove.error) : null}
      onSubmit={submit}
    >
      {me.has_password && (
        <Field
          label="Your password"
          name="password"
          type="password"
          autoComplete="current-password"
          error={atPassword}
          required
        />
      )}
    </FormDialog>
  );
}
