import { useId } from 'react';
import type { Role } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Field } from '@/components/ui/field';
import { FormDialog } from '@/components/ui/form-dialog';
import { MAX_EMAIL_CHARACTERS, MAX_NAME_CHARACTERS } from '@/config/app';
import { OneTimeLink } from './one-time-link';
import { useInvite } from './queries';

interface InviteProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Makes an account, and a link with which its owner chooses a password. */
export function Invite({ open, onOpenChange }: InviteProps) {
  const invite = useInvite();
  const submit = (form: FormData) =>
    invite.mutate({
      email: String(form.get('email')).trim(),
      name: String(form.get('name')).trim(),
      role: form.get('role') as Role,
    });
  const who = invite.data && (invite.data.user.name || invite.data.user.email);
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title={who ? `A link for ${who}` : 'Invite somebody'}
      description={
        who
          ? 'The account is made. Copy the link now: it cannot be shown again.'
          : 'You get a link to send to them, with which they choose a password.'
      }
      action="Make the account"
      pending={invite.isPending}
      error={invite.isError ? sentenceOf(invite.error) : null}
      onSubmit={submit}
      result={invite.data && who && <OneTimeLink link={invite.data.link} who={who} />}
    >
      <Field
        label="E-mail"
        name="email"
        type="email"
        maxLength={MAX_EMAIL_CHARACTERS}
        autoComplete="off"
        required
      />
      <Field
        label="Name"
        name="name"
        maxLength={MAX_NAME_CHARACTERS}
        pattern=".*\S.*"
        title="At least one character that is not a space"
        autoComplete="off"
        required
      />
      <RoleChoice />
    </FormDialog>
  );
}

const ROLES: { role: Role; label: string; meaning: string }[] = [
  { role: 'member', label: 'Member', meaning: 'Chats, and uses the API.' },
  { role: 'admin', label: 'Admin', meaning: 'Also takes care of people and of the model.' },
];

function RoleChoice() {
  const id = useId();
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 font-medium text-sm">Role</legend>
      {ROLES.map(({ role, label, meaning }) => (
        <div key={role} className="flex items-baseline gap-2.5 text-sm">
          <input
            type="radio"
            id={`${id}-${role}`}
            name="role"
            value={role}
            defaultChecked={role === 'member'}
            className="accent-primary"
          />
          <label htmlFor={`${id}-${role}`}>
            {label} <span className="text-muted-foreground">{meaning}</span>
          </label>
        </div>
      ))}
    </fieldset>
  );
}
