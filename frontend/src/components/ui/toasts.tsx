import { Toast } from '@base-ui/react/toast';
import { X } from 'lucide-react';
import { useEffect } from 'react';
import { type ToastAction, takeToasts } from './toaster';

const manager = Toast.createToastManager();

/** One with something to do stays longer: it has to be read and to be reached. */
function add(title: string, action?: ToastAction): void {
  const id = manager.add({
    title,
    timeout: action ? 10_000 : undefined,
    actionProps: action && {
      children: action.name,
      onClick: () => {
        manager.close(id);
        action.run();
      },
    },
  });
}

/** The toasts that are shown, newest last. */
export function Toasts() {
  // The provider below listens by now: the effects of children run first.
  useEffect(() => takeToasts(add), []);
  return (
    <Toast.Provider toastManager={manager} timeout={5000}>
      <Toast.Portal>
        <Toast.Viewport className="fixed inset-x-4 bottom-4 z-60 mx-auto flex max-w-sm flex-col gap-2">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((item) => (
    <Toast.Root
      key={item.id}
      toast={item}
      className="flex items-center gap-3 rounded-xl border bg-popover px-4 py-2.5 text-popover-foreground text-sm shadow-float transition duration-200 data-[ending-style]:opacity-0 data-[starting-style]:translate-y-2 data-[starting-style]:opacity-0"
    >
      <Toast.Title className="flex-1" />
      {item.actionProps && <Toast.Action className="font-medium text-primary hover:underline" />}
      <Toast.Close aria-label="Dismiss" className="text-muted-foreground hover:text-foreground">
        <X aria-hidden className="size-4" />
      </Toast.Close>
    </Toast.Root>
  ));
}
