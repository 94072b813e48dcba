import { Menu as Base } from '@base-ui/react/menu';
import type { ReactNode } from 'react';
import { cn } from '@/lib/cn';

interface MenuProps {
  label: string;
  trigger: ReactNode;
  triggerClassName?: string;
  children: ReactNode;
}

/** A button that opens a list of actions. */
export function Menu({ label, trigger, triggerClassName, children }: MenuProps) {
  return (
    <Base.Root>
      <Base.Trigger aria-label={label} title={label} className={triggerClassName}>
        {trigger}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} align="end" className="z-50">
          <Base.Popup className="min-w-36 rounded-xl border bg-popover p-1 text-popover-foreground shadow-float outline-none">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

interface MenuItemProps {
  icon: ReactNode;
  danger?: boolean;
  onSelect: () => void;
  children: ReactNode;
}

export function MenuItem({ icon, danger, onSelect, children }: MenuItemProps) {
  return (
    <Base.Item
      onClick={onSelect}
      className={cn(
        'flex items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm outline-none data-[highlighted]:bg-secondary [&_svg]:size-4',
        danger && 'text-destructive',
      )}
    >
      {icon}
      {children}
    </Base.Item>
  );
}
