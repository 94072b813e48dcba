import { type ComponentProps, type ReactNode, useId } from 'react';
import { cn } from '@/lib/cn';

const INPUT =
  'h-9 w-full rounded-lg border border-input bg-background px-3 text-sm read-only:bg-muted aria-invalid:border-destructive';

interface FieldProps extends Omit<ComponentProps<'input'>, 'id'> {
  label: string;
  hint?: ReactNode;
  /** What is wrong with what was typed. */
  error?: string | null;
  /** A button at the end of the field. */
  action?: ReactNode;
}

interface TextAreaProps extends Omit<ComponentProps<'textarea'>, 'id'> {
  label: string;
}

/** A labelled field for several lines, which grows with them. */
export function TextArea({ label, className, ...props }: TextAreaProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-medium text-sm">
        {label}
      </label>
      <textarea
        id={id}
        className={cn(
          'field-sizing-content block max-h-[40dvh] min-h-28 w-full resize-none rounded-lg border border-input bg-background px-3 py-2 pointer-coarse:text-[1rem] text-sm',
          className,
        )}
        {...props}
      />
    </div>
  );
}

/** A labelled text field; its hint and its error are read out with it. */
export function Field({ label, hint, error, action, className, ...props }: FieldProps) {
  const id = useId();
  const described = cn(Boolean(hint) && `${id}-hint`, Boolean(error) && `${id}-error`);
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-medium text-sm">
        {label}
      </label>
      <div className="relative">
        <input
          id={id}
          aria-invalid={error ? true : undefined}
          aria-describedby={described || undefined}
          className={cn(INPUT, Boolean(action) && 'pr-10', className)}
          {...props}
        />
        {action && <div className="absolute inset-y-0 right-0.5 flex items-center">{action}</div>}
      </div>
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-muted-foreground text-xs">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} role="alert" className="mt-1 text-destructive text-xs">
          {error}
        </p>
      )}
    </div>
  );
}
