import { deferred, useDeferred } from '@/lib/deferred';

const list = deferred(() => import('./toasts').then((module) => module.Toasts));

type Show = (title: string) => void;

const waiting: string[] = [];
let show: Show | null = null;

/** Shows a sentence for a few seconds, for things that have no better place. */
export function toast(title: string): void {
  if (show) show(title);
  else {
    waiting.push(title);
    list.fetch().catch(() => undefined);
  }
}

/** Hands over what is to be shown, from now on and until it is given back. */
export function takeToasts(taken: Show): () => void {
  show = taken;
  waiting.splice(0).forEach(taken);
  return () => {
    show = null;
  };
}

/** Where toasts appear. */
export function Toaster() {
  const Toasts = useDeferred(list, false);
  return Toasts && <Toasts />;
}
