import { CircleAlert, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from '@/lib/cn';

const TONES = {
  info: { icon: Info, className: 'bg-accent text-accent-foreground' },
  warning: { icon: TriangleAlert, className: 'bg-warning-soft text-warning-foreground' },
  error: { icon: CircleAlert, className: 'bg-destructive-soft text-destructive' },
} as const;

interface NoticeProps {
  tone: keyof typeof TONES;
  children: ReactNode;
  /** Buttons: what one can do about it. */
  actions?: ReactNode;
  className?: string;
}

/** A sentence that stays until its cause is gone; errors are announced. */
export function Notice({ tone, children, actions, className }: NoticeProps) {
  const { icon: Icon, className: colours } = TONES[tone];
  return (
    <div
      role={tone === 'error' ? 'alert' : 'status'}
      className={cn(
        'flex flex-wrap items-center gap-x-3 gap-y-2 rounded-xl px-3.5 py-2.5 text-sm',
        colours,
        className,
      )}
    >
      <Icon aria-hidden className="size-4 shrink-0" />
      <div className="min-w-40 flex-1">{children}</div>
      {actions && <div className="flex gap-2">{actions}</div>}
    </div>
  );
}
