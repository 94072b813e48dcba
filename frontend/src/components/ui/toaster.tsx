import { deferred, useDeferred } from '@/lib/deferred';

const list = deferred(() => import('./toasts').then((module) => module.Toasts));

/** What one can do about it, such as to take it back. */
export interface ToastAction {
  name: string;
  run: () => void;
}

type Show = (title: string, action?: ToastAction) => void;

const waiting: Parameters<Show>[] = [];
let show: Show | null = null;

/** Shows a sentence for a few seconds, for things that have no better place. */
export function toast(...shown: Parameters<Show>): void {
  if (show) show(...shown);
  else {
    waiting.push(shown);
    list.fetch().catch(() => undefined);
  }
}

/** Hands over what is to be shown, from now on and until it is given back. */
export function takeToasts(taken: Show): () => void {
  show = taken;
  for (const shown of waiting.splice(0)) taken(...shown);
  return () => {
    show = null;
  };
}

/** Where toasts appear. */
export function Toaster() {
  const Toasts = useDeferred(list, false);
  return Toasts && <Toasts />;
}
