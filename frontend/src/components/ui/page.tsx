import type { ReactNode } from 'react';

interface PageProps {
  title: string;
  lead: ReactNode;
  /** Beside the title: what one can do here. */
  actions?: ReactNode;
  children: ReactNode;
}

/** A page that is read from top to bottom. */
export function Page({ title, lead, actions, children }: PageProps) {
  return (
    <div
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="relative min-h-0 flex-1 overflow-y-auto -outline-offset-2"
    >
      <div className="mx-auto flex max-w-[52rem] flex-col gap-9 px-4 py-8 sm:px-8">
        <div className="flex flex-wrap items-start justify-between gap-4">
          <div className="max-w-[34rem]">
            <h1 className="font-semibold text-2xl tracking-tight">{title}</h1>
            <p className="mt-1 text-muted-foreground">{lead}</p>
          </div>
          {actions}
        </div>
        {children}
      </div>
    </div>
  );
}

interface SectionProps {
  title: string;
  /** Where a link can lead. */
  id?: string;
  children: ReactNode;
}

export function Section({ title, id, children }: SectionProps) {
  return (
    <section id={id} aria-label={title} className="flex flex-col gap-3">
      <h2 className="font-semibold text-lg">{title}</h2>
      {children}
    </section>
  );
}

/** What a section with things of one kind shows while there is none. */
export function Empty({ children }: { children: ReactNode }) {
  return (
    <div className="rounded-xl border border-dashed px-4 py-6 text-center text-muted-foreground text-sm">
      {children}
    </div>
  );
}

/** A frame around what belongs together. */
export function Card({ children }: { children: ReactNode }) {
  return <div className="flex flex-col gap-4 rounded-xl border bg-card p-4 sm:p-5">{children}</div>;
}
