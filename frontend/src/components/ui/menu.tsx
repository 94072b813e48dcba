import { Check } from 'lucide-react';
import { type KeyboardEvent, type ReactElement, type ReactNode, useRef, useState } from 'react';
import { cn } from '@/lib/cn';
import { deferred, useDeferred } from '@/lib/deferred';

const menu = deferred(() => import('@base-ui/react/menu').then((module) => module.Menu));

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
  const button = useRef<HTMLButtonElement>(null);
  const popup = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<'by pointer' | 'by key' | null>(null);
  const Base = useDeferred(menu, opened !== null);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    setOpened('by key');
  };
  const closeOnTab = (event: KeyboardEvent) => {
    if (event.key !== 'Tab') return;
    event.preventDefault();
    setOpened(null);
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={opened !== null}
        data-popup-open={opened ? '' : undefined}
        title={label}
        // A click without a pointer has no count.
        onClick={({ detail }) => setOpened(detail === 0 ? 'by key' : 'by pointer')}
        onKeyDown={onKeyDown}
        className={triggerClassName}
      >
        {trigger}
      </button>
      {Base && (
        <Base.Root
          open={opened !== null}
          onOpenChange={(open) => open || setOpened(null)}
          onOpenChangeComplete={(open) => {
            if (open && opened === 'by key')
              popup.current?.querySelector<HTMLElement>('[role^=menuitem]')?.focus();
          }}
        >
          <Base.Portal>
            <Base.Positioner anchor={button} sideOffset={4} side={side} align={align} className="z-50">
              <Base.Popup
                ref={popup}
                aria-label={label}
                finalFocus={button}
                onKeyDown={closeOnTab}
                className="min-w-[max(9rem,var(--anchor-width))] rounded-xl border bg-popover p-1 text-popover-foreground shadow-float outline-none"
              >
                {children}
              </Base.Popup>
            </Base.Positioner>
          </Base.Portal>
        </Base.Root>
      )}
    </>
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
  const Base = menu.now();
  return (
    Base && (
      <Base.Item onClick={onSelect} className={cn(ITEM, danger && 'text-destructive')}>
        {icon}
        {children}
      </Base.Item>
    )
  );
}

interface MenuLinkProps {
  icon: ReactNode;
  /** The link itself, without content. */
  link: ReactElement;
  children: ReactNode;
}

export function MenuLink({ icon, link, children }: MenuLinkProps) {
  const Base = menu.now();
  return (
    Base && (
      <Base.LinkItem render={link} closeOnClick className={ITEM}>
        {icon}
        {children}
      </Base.LinkItem>
    )
  );
}

interface MenuChoicesProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  children: ReactNode;
}

/** Items of which one is chosen. */
export function MenuChoices({ label, value, onChange, children }: MenuChoicesProps) {
  const Base = menu.now();
  return (
    Base && (
      <Base.RadioGroup aria-label={label} value={value} onValueChange={onChange}>
        {children}
      </Base.RadioGroup>
    )
  );
}

export function MenuChoice({ value, children }: { value: string; children: ReactNode }) {
  const Base = menu.now();
  return (
    Base && (
      <Base.RadioItem value={value} closeOnClick className={cn(ITEM, 'relative max-w-72 pl-8')}>
        <Base.RadioItemIndicator className="absolute left-2.5">
          <Check aria-hidden className="text-primary" />
        </Base.RadioItemIndicator>
        {children}
      </Base.RadioItem>
    )
  );
}

export function MenuSeparator() {
  return <hr className="mx-2.5 my-1 h-px border-0 bg-border" />;
}
