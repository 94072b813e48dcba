import type { UpdateUser, User } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Field } from '@/components/ui/field';
import { FormDialog } from '@/components/ui/form-dialog';
import { MAX_NAME_CHARACTERS } from '@/config/app';
import { OneTimeLink } from './one-time-link';
import { useDeleteUser, useMakeLink, useUpdateUser } from './queries';

export type Task = 'rename' | 'admin' | 'member' | 'activate' | 'deactivate' | 'link' | 'delete';

interface UserTaskProps {
  user: User;
  isMe: boolean;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Asks before an admin does something to somebody; a refusal is shown where it was asked. */
export function UserTask({ kind, ...props }: UserTaskProps & { kind: Task }) {
  if (kind === 'rename') return <Rename {...props} />;
  if (kind === 'link') return <PasswordLink {...props} />;
  if (kind === 'delete') return <Delete {...props} />;
  return <Change kind={kind} {...props} />;
}

interface Question {
  change: UpdateUser;
  title: string;
  description: string;
  action: string;
  done: string;
  danger?: boolean;
}

type ChangeKind = Exclude<Task, 'rename' | 'link' | 'delete'>;

function questionOf(kind: ChangeKind, who: string, isMe: boolean): Question {
  switch (kind) {
    case 'admin':
      return {
        change: { role: 'admin' },
        title: `Make ${who} an admin?`,
        description:
          'Admins invite, deactivate and delete people, choose which model version answers and what runs learn from, and read the audit log.',
        action: 'Make admin',
        done: `${who} is an admin now.`,
      };
    case 'member':
      return {
        change: { role: 'member' },
        title: isMe ? 'Give up being an admin?' : `Make ${who} a member?`,
        description: isMe
          ? 'You will not see this page any more; another admin has to make you one again.'
          : 'They keep their account and conversations, but do not see the pages for admins any more.',
        action: 'Make member',
        done: `${who} is a member now.`,
      };
    case 'activate':
      return {
        change: { active: true },
        title: `Activate ${who}?`,
        description: 'They can sign in again, and their API keys work again.',
        action: 'Activate',
        done: `${who} can sign in again.`,
      };
    case 'deactivate':
      return {
        change: { active: false },
        title: isMe ? 'Deactivate your own account?' : `Deactivate ${who}?`,
        description: isMe
          ? 'You are signed out at once and your API keys stop working, until another admin activates you.'
          : 'They are signed out and their API keys stop working. Nothing is deleted; you can activate them again.',
        action: 'Deactivate',
        done: `${who} is signed out and cannot sign in any more.`,
        danger: true,
      };
  }
}

function Change({ kind, user, isMe, open, onOpenChange }: UserTaskProps & { kind: ChangeKind }) {
  const { change, done, ...question } = questionOf(kind, user.name || user.email, isMe);
  const update = useUpdateUser(done);
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      {...question}
      pending={update.isPending}
      error={update.isError ? sentenceOf(update.error) : null}
      onSubmit={() => update.mutate({ id: user.id, ...change }, { onSuccess: () => onOpenChange(false) })}
    />
  );
}

function Rename({ user, open, onOpenChange }: UserTaskProps) {
  const update = useUpdateUser('The name was changed.');
  const submit = (form: FormData) =>
    update.mutate(
      { id: user.id, name: String(form.get('name')).trim() },
      { onSuccess: () => onOpenChange(false) },
    );
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Rename ${user.name || user.email}`}
      description={`The address stays ${user.email}.`}
      action="Save name"
      pending={update.isPending}
      error={update.isError ? sentenceOf(update.error) : null}
      onSubmit={submit}
    >
      <Field
        label="Name"
        name="name"
        defaultValue={user.name}
        maxLength={MAX_NAME_CHARACTERS}
        pattern=".*\S.*"
        title="At least one character that is not a space"
        autoComplete="off"
        required
      />
    </FormDialog>
  );
}

function PasswordLink({ user, open, onOpenChange }: UserTaskProps) {
  const make = useMakeLink();
  const who = user.name || user.email;
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title={make.data ? `A link for ${who}` : `Make a password link for ${who}?`}
      description={
        make.data
          ? 'Copy it now: it cannot be shown again.'
          : 'They choose a new password with it. Until then the old one works; links made for them before stop working.'
      }
      action="Make the link"
      pending={make.isPending}
      error={make.isError ? sentenceOf(make.error) : null}
      onSubmit={() => make.mutate(user.id)}
      result={make.data && <OneTimeLink link={make.data} who={who} />}
    />
  );
}

function Delete({ user, isMe, open, onOpenChange }: UserTaskProps) {
  const remove = useDeleteUser(`The account of ${user.email} was deleted.`);
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title={isMe ? 'Delete your own account?' : `Delete ${user.name || user.email}?`}
      description={`${isMe ? 'Your' : 'Their'} conversations, ratings, corrections, API calls and keys go for good, and are not trained on from the next run. To keep them, deactivate the account instead.`}
      phrase={user.email}
      action="Delete for good"
      danger
      pending={remove.isPending}
      error={remove.isError ? sentenceOf(remove.error) : null}
      onSubmit={() => remove.mutate(user.id, { onSuccess: () => onOpenChange(false) })}
    />
  );
}
