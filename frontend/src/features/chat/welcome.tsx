import { ArrowUpRight } from 'lucide-react';
import { Logo } from '@/components/logo';
import { EXAMPLES } from './examples';

interface WelcomeProps {
  onPick: (prompt: string) => void;
  disabled: boolean;
}

/** The empty page. */
export function Welcome({ onPick, disabled }: WelcomeProps) {
  return (
    <div className="relative min-h-0 flex-1">
      <div aria-hidden className="graph-paper pointer-events-none absolute inset-0 hidden sm:block" />
      <div className="relative h-full overflow-y-auto">
        <div className="mx-auto flex min-h-full max-w-[48rem] flex-col justify-center px-4 py-8 sm:px-6">
          <Logo className="hidden size-11 sm:block" />
          <h1 className="font-semibold text-2xl sm:mt-5 tracking-tight">What are you working on?</h1>
          <p className="mt-1.5 max-w-[34rem] text-muted-foreground">
            A code assistant on your own servers. What you type stays here; what you correct makes it better.
          </p>
          <ul className="mt-6 grid sm:mt-8 grid-cols-1 gap-2.5 sm:grid-cols-2">
            {EXAMPLES.map(({ title, prompt }) => (
              <li key={title}>
                <button
                  type="button"
                  disabled={disabled}
                  onClick={() => onPick(prompt)}
                  className="group flex h-full w-full items-start gap-3 rounded-xl border bg-card px-4 py-3 text-left transition-colors hover:border-ring hover:bg-accent/50"
                >
                  <span className="min-w-0 flex-1">
                    <span className="block font-medium text-sm">{title}</span>
                    <span className="mt-0.5 block text-muted-foreground text-xs">{prompt}</span>
                  </span>
                  <ArrowUpRight
                    aria-hidden
                    className="mt-0.5 size-4 shrink-0 text-muted-foreground transition-colors group-hover:text-primary"
                  />
                </button>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </div>
  );
}
