import { type FormEvent, useState } from 'react';
import type { Me } from '@/api/generated';
import { sentenceAt, sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Field } from '@/components/ui/field';
import { NewPasswordField } from '@/components/ui/new-password-field';
import { Notice } from '@/components/ui/notice';
import { Card } from '@/components/ui/page';
import { useChangePassword } from './queries';

/** Another password; the present one is asked for, and its fields are empty again afterwards. */
export function Password({ me }: { me: Me }) {
  const [saved, setSaved] = useState(0);
  const change = useChangePassword();
  const atCurrent = sentenceAt(change.error, 'current');
  const save = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    change.mutate(
      { current: String(form.get('current')), new: String(form.get('new')) },
      { onSuccess: () => setSaved(saved + 1) },
    );
  };
  return (
    <Card>
      <form key={saved} onSubmit={save} className="flex flex-col gap-4">
        <input type="email" autoComplete="username" value={me.email} readOnly hidden />
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Present password"
            name="current"
            type="password"
            autoComplete="current-password"
            error={atCurrent}
            required
          />
          <NewPasswordField label="New password" name="new" />
        </div>
        {change.isError && !atCurrent && <Notice tone="error">{sentenceOf(change.error)}</Notice>}
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <Button type="submit" disabled={change.isPending}>
            {change.isPending ? 'Saving…' : 'Change password'}
          </Button>
          <p className="text-muted-foreground text-xs">
            This signs you out in every other browser. API keys go on working.
          </p>
        </div>
      </form>
    </Card>
  );
}
