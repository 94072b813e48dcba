import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ComponentProps, type FormEvent, useId } from 'react';
import { login } from '@/api/generated';
import { meQueryKey } from '@/api/generated/@tanstack/react-query.gen';
import { ApiError, sentenceOf } from '@/api/problem';
import { Logo } from '@/components/logo';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { APP_NAME } from '@/config/app';
import { useTitle } from '@/lib/use-title';

/** Signs in with an e-mail address and a password. */
export function LoginForm({ onSignedIn }: { onSignedIn: () => void }) {
  useTitle('Sign in');
  const client = useQueryClient();
  const signIn = useMutation({
    mutationFn: (form: { email: string; password: string }) => login({ body: form, throwOnError: true }),
    onSuccess: ({ data }) => {
      client.clear();
      client.setQueryData(meQueryKey(), data);
      onSignedIn();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    signIn.mutate({ email: String(form.get('email')), password: String(form.get('password')) });
  };
  return (
    <main className="flex h-full items-center justify-center overflow-y-auto bg-sidebar p-4">
      <form onSubmit={submit} className="w-full max-w-sm rounded-2xl border bg-card p-6 shadow-card">
        <Logo className="size-10" />
        <h1 className="mt-4 font-semibold text-lg">Sign in to {APP_NAME}</h1>
        <p className="mt-1 text-muted-foreground text-sm">
          With the account that your administrator gave you.
        </p>
        <div className="mt-5 flex flex-col gap-3.5">
          <Field label="E-mail" name="email" type="email" autoComplete="username" autoFocus />
          <Field label="Password" name="password" type="password" autoComplete="current-password" />
          {signIn.isError && <Notice tone="error">{explain(signIn.error)}</Notice>}
          <Button type="submit" variant="primary" disabled={signIn.isPending}>
            {signIn.isPending ? 'Signing in…' : 'Sign in'}
          </Button>
        </div>
      </form>
    </main>
  );
}

function Field({ label, ...props }: ComponentProps<'input'> & { label: string }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-medium text-sm">
        {label}
      </label>
      <input
        id={id}
        required
        className="h-9 w-full rounded-lg border border-input bg-background px-3 text-sm"
        {...props}
      />
    </div>
  );
}

function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 401)
    return 'This e-mail address and password do not match. Try again.';
  return sentenceOf(error);
}
