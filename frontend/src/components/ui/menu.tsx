import { Menu as Base } from '@base-ui/react/menu';
import type { ReactElement, ReactNode } from 'react';
import { cn } from '@/lib/cn';

interface MenuProps {
  label: string;
  trigger: ReactNode;
  triggerClassName?: string;
  side?: 'top' | 'bottom';
  align?: 'start' | 'end';
  children: ReactNode;
}

/** A button that opens a list of actions, at least as wide as the button. */
export function Menu({
  label,
  trigger,
  triggerClassName,
  side = 'bottom',
  align = 'end',
  children,
}: MenuProps) {
  return (
    <Base.Root>
      <Base.Trigger aria-label={label} title={label} className={triggerClassName}>
        {trigger}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} side={side} align={align} className="z-50">
          <Base.Popup className="min-w-[max(9rem,var(--anchor-width))] rounded-xl border bg-popover p-1 text-popover-foreground shadow-float outline-none">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

const ITEM =
  'flex items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm outline-none data-[highlighted]:bg-secondary [&_svg]:size-4';

interface MenuItemProps {
  icon: ReactNode;
  danger?: boolean;
  onSelect: () => void;
  children: ReactNode;
}

export function MenuItem({ icon, danger, onSelect, children }: MenuItemProps) {
  return (
    <Base.Item onClick={onSelect} className={cn(ITEM, danger && 'text-destructive')}>
      {icon}
      {children}
    </Base.Item>
  );
}

interface MenuLinkProps {
  icon: ReactNode;
  /** The link itself, without content. */
  link: ReactElement;
  children: ReactNode;
}

export function MenuLink({ icon, link, children }: MenuLinkProps) {
  return (
    <Base.LinkItem render={link} closeOnClick className={ITEM}>
      {icon}
      {children}
    </Base.LinkItem>
  );
}

export function MenuSeparator() {
  return <Base.Separator className="mx-2.5 my-1 h-px bg-border" />;
}
