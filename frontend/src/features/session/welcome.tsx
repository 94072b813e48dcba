import type { FormEvent, ReactNode } from 'react';
import type { LinkHolder } from '@/api/generated';
import { ApiError, sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Field } from '@/components/ui/field';
import { NewPasswordField } from '@/components/ui/new-password-field';
import { Notice } from '@/components/ui/notice';
import { APP_NAME, MAX_EMAIL_CHARACTERS, MAX_NAME_CHARACTERS } from '@/config/app';
import { formatDateTime } from '@/lib/format';
import { useTitle } from '@/lib/use-title';
import { Entrance } from './entrance';
import { useChoosePassword, useLinkHolder, useSetUp } from './queries';

interface WelcomeProps {
  /** The secret of a one-time link; empty where the page was opened without one. */
  token: string;
  /** A link to the sign-in. */
  signIn: ReactNode;
  onSignedIn: () => void;
}

/** Where a one-time link leads: to choose a password, or to make the first administrator. */
export function Welcome({ token, signIn, onSignedIn }: WelcomeProps) {
  useTitle('Welcome');
  const holder = useLinkHolder(token);
  if (token === '') return <NoLink signIn={signIn} />;
  if (holder.isError) {
    return isOver(holder.error) ? (
      <LinkIsOver signIn={signIn} />
    ) : (
      <Entrance title="Your link could not be checked" lead={sentenceOf(holder.error)}>
        <Button variant="primary" disabled={holder.isFetching} onClick={() => void holder.refetch()}>
          Try again
        </Button>
      </Entrance>
    );
  }
  if (!holder.data) return <Checking />;
  return holder.data.email === null ? (
    <FirstAdmin token={token} until={holder.data.expires_at} onSignedIn={onSignedIn} />
  ) : (
    <Invitation token={token} holder={holder.data} onSignedIn={onSignedIn} />
  );
}

function isOver(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
}

function Checking() {
  return (
    <Entrance title="Welcome" lead="Your link is being checked…">
      <div aria-hidden className="flex animate-pulse flex-col gap-3.5">
        <div className="h-9 rounded-lg bg-secondary" />
        <div className="h-9 rounded-lg bg-secondary" />
      </div>
    </Entrance>
  );
}

function NoLink({ signIn }: { signIn: ReactNode }) {
  return (
    <Entrance
      title="Open your link once more"
      lead="This page needs the whole link that you were sent, and keeps no copy of it. Open the link again from where you received it."
    >
      {signIn}
    </Entrance>
  );
}

function LinkIsOver({ signIn }: { signIn: ReactNode }) {
  return (
    <Entrance
      title="This link does not work any more"
      lead="It has been used, a newer one has replaced it, or it is more than two days old. If you have chosen a password, sign in with it. If not, ask an administrator for a new link."
    >
      {signIn}
      <p className="text-muted-foreground text-xs">
        Is this the very first start, with nobody to ask? Start the server again: while there is no
        administrator, it writes a new link to its log.
      </p>
    </Entrance>
  );
}

interface InvitationProps {
  token: string;
  holder: LinkHolder;
  onSignedIn: () => void;
}

function Invitation({ token, holder, onSignedIn }: InvitationProps) {
  const choose = useChoosePassword(onSignedIn);
  return (
    <Entrance
      title={`Hello ${holder.name || holder.email}, choose a password`}
      lead={`You will sign in to ${APP_NAME} with it. This link works once, until ${formatDateTime(holder.expires_at)}.`}
    >
      <PasswordForm
        error={choose.error}
        pending={choose.isPending}
        action="Save and sign in"
        onSubmit={(form) => choose.mutate({ token, password: String(form.get('password')) })}
      >
        <Field label="E-mail" type="email" autoComplete="username" value={holder.email ?? ''} readOnly />
        <NewPasswordField label="Password" name="password" autoFocus />
      </PasswordForm>
    </Entrance>
  );
}

function FirstAdmin({ token, until, onSignedIn }: Omit<InvitationProps, 'holder'> & { until: string }) {
  const make = useSetUp(onSignedIn);
  const submit = (form: FormData) =>
    make.mutate({
      token,
      email: String(form.get('email')).trim(),
      name: String(form.get('name')).trim(),
      password: String(form.get('password')),
    });
  return (
    <Entrance
      title="Make the first administrator"
      lead={`Nobody can sign in here yet. You will invite the others. This link works once, until ${formatDateTime(until)}.`}
    >
      <PasswordForm
        error={make.error}
        pending={make.isPending}
        action="Make the account and sign in"
        onSubmit={submit}
      >
        <Field
          label="E-mail"
          name="email"
          type="email"
          autoComplete="username"
          maxLength={MAX_EMAIL_CHARACTERS}
          required
          autoFocus
        />
        <Field
          label="Name"
          name="name"
          autoComplete="name"
          maxLength={MAX_NAME_CHARACTERS}
          pattern=".*\S.*"
          required
        />
        <NewPasswordField label="Password" name="password" />
      </PasswordForm>
    </Entrance>
  );
}

interface PasswordFormProps {
  error: unknown;
  pending: boolean;
  action: string;
  onSubmit: (form: FormData) => void;
  children: ReactNode;
}

function PasswordForm({ error, pending, action, onSubmit, children }: PasswordFormProps) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget));
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3.5">
      {children}
      {error !== null && <Notice tone="error">{sentenceOf(error)}</Notice>}
      <Button type="submit" variant="primary" disabled={pending}>
        {pending ? 'One moment…' : action}
      </Button>
    </form>
  );
}
