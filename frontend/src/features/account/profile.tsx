import type { FormEvent, ReactNode } from 'react';
import type { Me } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Field } from '@/components/ui/field';
import { Notice } from '@/components/ui/notice';
import { Card } from '@/components/ui/page';
import { MAX_NAME_CHARACTERS } from '@/config/app';
import { useUpdateMe } from './queries';

export function Profile({ me, theme }: { me: Me; theme: ReactNode }) {
  const update = useUpdateMe('Your name was saved.');
  const save = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name')).trim();
    if (name !== me.name) update.mutate({ name });
  };
  return (
    <Card>
      <form onSubmit={save} className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            key={me.name}
            label="Name"
            name="name"
            autoComplete="name"
            defaultValue={me.name}
            maxLength={MAX_NAME_CHARACTERS}
            pattern=".*\S.*"
            title="At least one character that is not a space"
            required
          />
          {me.auth_mode === 'accounts' && (
            <Field
              label="E-mail"
              value={me.email}
              readOnly
              hint="Fixed: you are known here by this address."
            />
          )}
        </div>
        {update.isError && <Notice tone="error">{sentenceOf(update.error)}</Notice>}
        <Button type="submit" className="self-start" disabled={update.isPending}>
          {update.isPending ? 'Saving…' : 'Save name'}
        </Button>
      </form>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-t pt-4">
        <div>
          <p className="font-medium text-sm">Colours</p>
          <p className="text-muted-foreground text-sm">Kept in this browser only.</p>
        </div>
        {theme}
      </div>
    </Card>
  );
}
