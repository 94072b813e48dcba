import { Link } from '@tanstack/react-router';
import type { ModelsPage, ModelVersion } from '@/api/generated';
import { Badge } from '@/components/ui/badge';
import { formatBytes, formatDateTime, formatFigure, humanize } from '@/lib/format';
import { figuresOf } from './verdict';
import { VersionMenu } from './version-acts';

interface VersionsProps {
  models: ModelsPage;
  isAdmin: boolean;
}

/** All versions, newest first; `models.serving` answers now, at the server that was asked. */
export function Versions({ models, isAdmin }: VersionsProps) {
  return (
    <ul className="divide-y overflow-hidden rounded-xl border bg-card">
      {models.items.map((version) => (
        <li key={version.id} className="flex items-start gap-2 px-4 py-3">
          <Version version={version} isServing={version.id === models.serving} />
          {isAdmin && <VersionMenu version={version} models={models} />}
        </li>
      ))}
    </ul>
  );
}

function Version({ version, isServing }: { version: ModelVersion; isServing: boolean }) {
  const figures = figuresOf(version.metrics).map(([name, value]) => `${name} ${formatFigure(value)}`);
  return (
    <div className="min-w-0 flex-1">
      <div className="flex flex-wrap items-center gap-2">
        <span className="min-w-0 break-all font-medium text-sm">{version.name}</span>
        {version.aliases.map((alias) => (
          <Badge key={alias} tone={alias === 'champion' ? 'accent' : 'neutral'} title={MEANING[alias]}>
            {humanize(alias)}
          </Badge>
        ))}
        {isServing && <Badge tone="accent">Answering now</Badge>}
        {version.state !== 'available' && <Badge tone="warning">{humanize(version.state)}</Badge>}
      </div>
      <p className="mt-1 text-muted-foreground text-xs tabular-nums">
        {formatDateTime(version.created_at)} · {formatBytes(version.size_bytes)} ·{' '}
        {version.run_id ? (
          <Link
            to="/models/runs/$runId"
            params={{ runId: version.run_id }}
            className="underline underline-offset-3 hover:text-foreground"
          >
            from a training run
          </Link>
        ) : (
          'installed'
        )}
        {figures.map((figure) => (
          <span key={figure}>
            {' · '}
            <span className="whitespace-nowrap">{figure}</span>
          </span>
        ))}
      </p>
      {WHY_NOT[version.state] && (
        <p className="mt-1 text-muted-foreground text-xs">{WHY_NOT[version.state]}</p>
      )}
    </div>
  );
}

const MEANING: Record<ModelVersion['aliases'][number], string> = {
  champion: 'The version that is served',
  challenger: 'The version that is being compared with the champion',
  previous: 'The version that was served before, and is one click away',
};

/** Why a version cannot be promoted. */
const WHY_NOT: Record<ModelVersion['state'], string | undefined> = {
  available: undefined,
  rejected: 'Refused by the gate: it did not measure better, and cannot be promoted.',
  deleted: 'Its file was deleted to make room; it cannot be promoted.',
};
