import { type FormEvent, useState } from 'react';
import { ApiError } from '@/api/problem';
import { Button, buttonClass } from '@/components/ui/button';
import { Field } from '@/components/ui/field';
import { Notice } from '@/components/ui/notice';
import { APP_NAME, MAX_EMAIL_CHARACTERS } from '@/config/app';
import { formatSeconds } from '@/lib/format';
import { useCountdown } from '@/lib/use-countdown';
import { useTitle } from '@/lib/use-title';
import { Entrance } from './entrance';
import { explainProblem, explainRefusal } from './problem';
import { useMethods, useSignIn } from './queries';

interface LoginFormProps {
  /** Where to go afterwards: a path of this application. */
  next: string;
  /** Why a sign-in at the identity provider came to nothing. */
  problem?: string;
  onSignedIn: () => void;
}

/** Signs in with an e-mail address and a password, or at the identity provider where there is one. */
export function LoginForm({ next, problem, onSignedIn }: LoginFormProps) {
  useTitle('Sign in');
  const methods = useMethods();
  const [blockedUntil, setBlockedUntil] = useState<number | null>(null);
  const left = useCountdown(blockedUntil);
  const signIn = useSignIn(onSignedIn);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = { email: String(form.get('email')).trim(), password: String(form.get('password')) };
    signIn.mutate(body, { onError: (error) => setBlockedUntil(deadlineOf(error)) });
  };
  const waited = blockedUntil !== null && left === 0;
  return (
    <Entrance title={`Sign in to ${APP_NAME}`} lead="With the account that your administrator gave you.">
      {problem && signIn.isIdle && <Notice tone="warning">{explainProblem(problem)}</Notice>}
      <form onSubmit={submit} className="flex flex-col gap-3.5">
        <Field
          label="E-mail"
          name="email"
          type="email"
          autoComplete="username"
          maxLength={MAX_EMAIL_CHARACTERS}
          required
          autoFocus
        />
        <Field label="Password" name="password" type="password" autoComplete="current-password" required />
        {signIn.isError && !waited && <Notice tone="error">{explainRefusal(signIn.error)}</Notice>}
        <Button type="submit" variant="primary" disabled={signIn.isPending || left > 0}>
          {wordsOf(signIn.isPending, left)}
        </Button>
      </form>
      {methods?.oidc && <ProviderLink name={methods.oidc} next={next} />}
      <p className="text-muted-foreground text-xs">Forgot your password? Ask an administrator for a link.</p>
    </Entrance>
  );
}

function ProviderLink({ name, next }: { name: string; next: string }) {
  return (
    <>
      <div className="flex items-center gap-3 text-muted-foreground text-xs before:h-px before:flex-1 before:bg-border after:h-px after:flex-1 after:bg-border">
        or
      </div>
      <a href={`/api/auth/oidc/login?${new URLSearchParams({ page: next })}`} className={buttonClass()}>
        <span className="truncate">Continue with {name}</span>
      </a>
    </>
  );
}

function deadlineOf(error: unknown): number | null {
  const seconds = error instanceof ApiError && error.status === 429 ? error.retryAfterS : null;
  return seconds === null ? null : Date.now() + seconds * 1000;
}

function wordsOf(pending: boolean, left: number): string {
  if (pending) return 'Signing in…';
  return left > 0 ? `Try again in ${formatSeconds(left)}` : 'Sign in';
}
