import type { ModelVersion } from '@/api/generated';
import { Badge } from '@/components/ui/badge';
import { formatBytes, formatDateTime, formatFigure, humanize } from '@/lib/format';
import { figuresOf } from './verdict';

interface VersionsProps {
  versions: ModelVersion[];
  /** The version that answers now, at the server that was asked. */
  serving: string | null;
}

export function Versions({ versions, serving }: VersionsProps) {
  return (
    <ul className="divide-y overflow-hidden rounded-xl border bg-card">
      {versions.map((version) => (
        <li key={version.id} className="px-4 py-3">
          <div className="flex flex-wrap items-center gap-2">
            <span className="min-w-0 break-all font-medium text-sm">{version.name}</span>
            {version.aliases.map((alias) => (
              <Badge key={alias} tone={alias === 'champion' ? 'accent' : 'neutral'} title={MEANING[alias]}>
                {humanize(alias)}
              </Badge>
            ))}
            {version.id === serving && <Badge tone="accent">Answering now</Badge>}
            {version.state !== 'available' && <Badge tone="warning">{humanize(version.state)}</Badge>}
          </div>
          <p className="mt-1 text-muted-foreground text-xs tabular-nums">
            {[
              formatDateTime(version.created_at),
              formatBytes(version.size_bytes),
              version.run_id ? 'from a training run' : 'installed',
              ...figuresOf(version.metrics).map(([name, value]) => `${name} ${formatFigure(value)}`),
            ].join(' · ')}
          </p>
        </li>
      ))}
    </ul>
  );
}

const MEANING: Record<ModelVersion['aliases'][number], string> = {
  champion: 'The version that is served',
  challenger: 'The version that is being compared with the champion',
  previous: 'The version that was served before, and is one click away',
};
