import type { ReactNode } from 'react';
import { Logo } from '@/components/logo';

interface EntranceProps {
  title: string;
  lead: ReactNode;
  children?: ReactNode;
}

/** The frame of the pages before one is signed in. */
export function Entrance({ title, lead, children }: EntranceProps) {
  return (
    <main className="flex h-full overflow-y-auto bg-sidebar p-4">
      <div className="m-auto w-full max-w-sm rounded-2xl border bg-card p-6 shadow-card">
        <Logo className="size-10" />
        <h1 className="mt-4 break-words font-semibold text-lg">{title}</h1>
        <p className="mt-1 text-muted-foreground text-sm">{lead}</p>
        <div className="mt-5 flex flex-col gap-3.5">{children}</div>
      </div>
    </main>
  );
}
