import { useParams } from '@tanstack/react-router';
import { RowsPage as Rows } from '@/features/models/rows-page';
import { RunPage as Run } from '@/features/models/run-page';

export function RunPage() {
  const { runId } = useParams({ from: '/shell/shared/models/runs/$runId' });
  return <Run key={runId} runId={runId} />;
}

export function RowsPage() {
  const { runId } = useParams({ from: '/shell/admins/models/runs/$runId/rows' });
  return <Rows key={runId} runId={runId} />;
}
