import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import type { Loading } from './use-pages';

interface MoreMessagesProps {
  which: 'earlier' | 'later';
  loading: Loading;
}

/** Stands where messages are not loaded yet. As high while it loads as before, so that nothing moves. */
export function MoreMessages({ which, loading }: MoreMessagesProps) {
  const { pending, error, load } = loading;
  return (
    <div className="flex min-h-8 flex-wrap items-center justify-center gap-x-3 gap-y-1 text-muted-foreground text-xs">
      {error ? (
        <span role="alert">{`The ${which} messages could not be loaded. ${sentenceOf(error)}`}</span>
      ) : null}
      <Button variant="ghost" size="sm" aria-disabled={pending} onClick={load}>
        {pending ? `Loading ${which} messages…` : error ? 'Try again' : `Show ${which} messages`}
      </Button>
    </div>
  );
}
