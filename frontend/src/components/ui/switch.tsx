import { Switch as Base } from '@base-ui/react/switch';
import { type ReactNode, useId } from 'react';

interface SwitchProps {
  label: string;
  description: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

/** Something that is on or off, with what that means. */
export function Switch({ label, description, checked, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4">
      <div className="min-w-0">
        <label htmlFor={id} className="block cursor-pointer font-medium text-sm">
          {label}
        </label>
        <div id={`${id}-description`} className="mt-1 text-muted-foreground text-sm">
          {description}
        </div>
      </div>
      <Base.Root
        id={id}
        nativeButton
        render={<button type="button" />}
        aria-describedby={`${id}-description`}
        checked={checked}
        onCheckedChange={onChange}
        className="flex h-6 w-10 shrink-0 items-center rounded-full bg-muted-foreground p-0.5 transition-colors data-[checked]:bg-primary"
      >
        <Base.Thumb className="size-5 rounded-full bg-card transition-transform data-[checked]:translate-x-4 data-[checked]:bg-primary-foreground" />
      </Base.Root>
    </div>
  );
}
