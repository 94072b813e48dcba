import { FlaskConical } from 'lucide-react';
import { useMe } from '@/api/me';

/** Which model answers, under the composer. A demo model is never mistaken for a real one. */
export function ModelLine() {
  const me = useMe();
  if (!me) return <p className="h-[1.125rem]" />;
  if (!me.model) {
    return (
      <p className="text-center text-muted-foreground text-xs">
        No model is loaded yet; answers wait until there is one.
      </p>
    );
  }
  return (
    <p className="flex flex-wrap items-center justify-center gap-x-1.5 text-center text-muted-foreground text-xs">
      {me.model.demo && (
        <>
          <FlaskConical aria-hidden className="size-3.5 text-primary" />
          <span data-testid="demo-model">Demo model: tiny, for trying the product out</span>
          <span aria-hidden className="hidden sm:inline">
            ·
          </span>
        </>
      )}
      <span className={me.model.demo ? 'hidden sm:inline' : undefined}>{me.model.name}</span>
    </p>
  );
}
