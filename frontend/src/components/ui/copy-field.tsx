import { focusOnce } from '@/lib/focus';
import { CopyButton } from './copy-button';
import { Field } from './field';

/** Something to take along, such as a key or a link. It takes the focus, all of it selected. */
export function CopyField({ label, value }: { label: string; value: string }) {
  return (
    <Field
      ref={focusOnce}
      label={label}
      value={value}
      readOnly
      spellCheck={false}
      className="font-mono"
      onFocus={(event) => event.target.select()}
      action={<CopyButton label={`Copy: ${label}`} text={value} />}
    />
  );
}
