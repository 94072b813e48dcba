import type { ReactNode } from 'react';
import { cn } from '@/lib/cn';
import { deferred, useDeferred } from '@/lib/deferred';
import { Button, buttonClass } from './button';

const dialog = deferred(() => import('@base-ui/react/dialog').then((module) => module.Dialog));
const alertDialog = deferred(() =>
  import('@base-ui/react/alert-dialog').then((module) => module.AlertDialog),
);

const BACKDROP =
  'fixed inset-0 z-40 bg-black/35 transition-opacity duration-150 data-[ending-style]:opacity-0 data-[starting-style]:opacity-0 dark:bg-black/60';
const POPUP =
  'fixed left-1/2 top-1/2 z-50 flex max-h-[90dvh] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 flex-col gap-4 overflow-y-auto [overflow-wrap:anywhere] rounded-2xl border bg-popover p-5 text-popover-foreground shadow-float transition duration-150 data-[ending-style]:scale-[0.98] data-[starting-style]:scale-[0.98] data-[ending-style]:opacity-0 data-[starting-style]:opacity-0';

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  className?: string;
  /** A press outside does not close it: what it shows cannot be seen again. */
  sticky?: boolean;
}

/** A modal with a title; focus stays inside and returns where it came from. */
export function Dialog({ open, onOpenChange, title, description, children, className, sticky }: DialogProps) {
  const Base = useDeferred(dialog, open);
  if (!Base) return null;
  return (
    <Base.Root open={open} onOpenChange={onOpenChange} disablePointerDismissal={sticky}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className={cn(POPUP, className ?? 'max-w-md')}>
          <div>
            <Base.Title className="font-semibold text-lg">{title}</Base.Title>
            {description && (
              <Base.Description className="mt-1 text-muted-foreground text-sm">
                {description}
              </Base.Description>
            )}
          </div>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: ReactNode;
  action: string;
  danger?: boolean;
  onConfirm: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm({ open, onOpenChange, title, description, action, danger, onConfirm }: ConfirmProps) {
  const AlertDialog = useDeferred(alertDialog, open);
  if (!AlertDialog) return null;
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={BACKDROP} />
        <AlertDialog.Popup className={cn(POPUP, 'max-w-md')}>
          <div>
            <AlertDialog.Title className="font-semibold text-lg">{title}</AlertDialog.Title>
            <AlertDialog.Description className="mt-1.5 text-muted-foreground text-sm">
              {description}
            </AlertDialog.Description>
          </div>
          <div className="flex justify-end gap-2">
            <AlertDialog.Close className={buttonClass()}>Cancel</AlertDialog.Close>
            <Button
              variant={danger ? 'danger' : 'primary'}
              onClick={() => {
                onOpenChange(false);
                onConfirm();
              }}
            >
              {action}
            </Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** A panel that slides in from the left: the sidebar on a phone. */
export function Drawer({
  open,
  onOpenChange,
  title,
  children,
}: Omit<DialogProps, 'description' | 'className' | 'sticky'>) {
  const Base = useDeferred(dialog, open);
  if (!Base) return null;
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className="fixed inset-y-0 left-0 z-50 flex w-[min(20rem,86vw)] flex-col bg-sidebar shadow-float transition-transform duration-200 data-[ending-style]:-translate-x-full data-[starting-style]:-translate-x-full">
          <Base.Title className="sr-only">{title}</Base.Title>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
