import { WrapText } from 'lucide-react';
import { type ReactNode, useSyncExternalStore } from 'react';
import { IconButton } from '@/components/ui/button';
import { STORAGE_KEYS } from '@/config/app';
import { cn } from '@/lib/cn';
import { readStored, writeStored } from '@/lib/storage';

const listeners = new Set<() => void>();
let wraps = readStored(STORAGE_KEYS.wrap) === 'on';

function toggle(): void {
  wraps = !wraps;
  writeStored(STORAGE_KEYS.wrap, wraps ? 'on' : null);
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

/** A block of code whose long lines scroll or wrap, as the reader likes it: for all blocks, kept on this device. */
export function Wrappable({ children }: { children: ReactNode }) {
  const wrap = useSyncExternalStore(subscribe, () => wraps);
  return (
    <div className="relative" data-wrap={wrap || undefined}>
      {children}
      <IconButton
        label="Wrap long lines"
        aria-pressed={wrap}
        onClick={toggle}
        className={cn('code-wrap', wrap && 'text-primary')}
      >
        <WrapText aria-hidden />
      </IconButton>
    </div>
  );
}
