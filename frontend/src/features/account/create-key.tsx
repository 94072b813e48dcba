import type { NewApiKey } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { CopyButton } from '@/components/ui/copy-button';
import { CopyField } from '@/components/ui/copy-field';
import { Field } from '@/components/ui/field';
import { FormDialog } from '@/components/ui/form-dialog';
import { MAX_NAME_CHARACTERS } from '@/config/app';
import { curlExample } from './example';
import { useCreateKey } from './queries';

interface CreateKeyProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Makes a key, and shows it this once. */
export function CreateKey({ open, onOpenChange }: CreateKeyProps) {
  const create = useCreateKey();
  const submit = (form: FormData) =>
    create.mutate({
      name: String(form.get('name')).trim(),
      requests_per_minute: numberOf(form.get('requests')),
      tokens_per_minute: numberOf(form.get('tokens')),
    });
  return (
    <FormDialog
      open={open}
      onOpenChange={onOpenChange}
      title={create.data ? 'Your new key' : 'Create an API key'}
      description={
        create.data
          ? 'Copy it now: it cannot be shown again. If it gets lost, revoke it and create another.'
          : 'Whoever has the key may do here what you may do: keep it like a password.'
      }
      action="Create the key"
      pending={create.isPending}
      error={create.isError ? sentenceOf(create.error) : null}
      onSubmit={submit}
      result={create.data && <NewKey created={create.data} />}
    >
      <Field
        label="Name"
        name="name"
        hint="Where it will be used, for example “VS Code on my laptop”."
        maxLength={MAX_NAME_CHARACTERS}
        pattern=".*\S.*"
        title="At least one character that is not a space"
        autoComplete="off"
        required
      />
      <div className="grid gap-4 sm:grid-cols-2">
        <LimitField label="Requests a minute" name="requests" />
        <LimitField label="Tokens a minute" name="tokens" />
      </div>
    </FormDialog>
  );
}

function LimitField({ label, name }: { label: string; name: string }) {
  return (
    <Field
      label={label}
      name={name}
      type="number"
      inputMode="numeric"
      min={1}
      max={2 ** 31 - 1}
      step={1}
      hint="At most; empty is no limit."
      autoComplete="off"
    />
  );
}

function NewKey({ created }: { created: NewApiKey }) {
  const example = curlExample(window.location.origin, created.key);
  return (
    <>
      <CopyField label="Key" value={created.key} />
      <div>
        <div className="mb-1 flex items-center justify-between">
          <p className="font-medium text-sm">Try it in a terminal</p>
          <CopyButton label="Copy the example" text={example} />
        </div>
        <pre className="whitespace-pre-wrap break-all rounded-xl border bg-code p-3 text-xs">{example}</pre>
      </div>
    </>
  );
}

function numberOf(value: FormDataEntryValue | null): number | null {
  return value ? Number(value) : null;
}
