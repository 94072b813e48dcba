import type { RunVersion } from '@/api/generated';
import { Badge } from '@/components/ui/badge';
import { humanize } from '@/lib/format';

/** A version by its name, with what it is used for now. */
export function VersionName({ version: { name, aliases, state } }: { version: RunVersion }) {
  return (
    <span className="inline-flex flex-wrap items-baseline gap-1.5 break-all">
      {name}
      {aliases.map((alias) => (
        <Badge key={alias} tone={alias === 'champion' ? 'accent' : 'neutral'}>
          {humanize(alias)}
        </Badge>
      ))}
      {state !== 'available' && <Badge tone="warning">{humanize(state)}</Badge>}
    </span>
  );
}
