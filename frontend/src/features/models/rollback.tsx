import { Undo2 } from 'lucide-react';
import { useState } from 'react';
import type { ModelVersion } from '@/api/generated';
import { Button } from '@/components/ui/button';
import { Confirm } from '@/components/ui/dialog';
import { useRollback } from './queries';

interface RollbackProps {
  champion: ModelVersion | undefined;
  previous: ModelVersion | undefined;
  allowed: boolean;
}

/** Brings the version before the present one back. */
export function Rollback({ champion, previous, allowed }: RollbackProps) {
  const [asking, setAsking] = useState(false);
  const rollback = useRollback();
  const reason = reasonNot(allowed, previous);
  return (
    <div className="flex flex-col items-start gap-1 sm:items-end">
      <Button disabled={reason !== null || rollback.isPending} onClick={() => setAsking(true)}>
        <Undo2 aria-hidden />
        {rollback.isPending ? 'Rolling back…' : 'Roll back'}
      </Button>
      {reason && <p className="text-muted-foreground text-xs">{reason}</p>}
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title="Roll back?"
        description={`${previous?.name} answers from then on, instead of ${champion?.name}. Answers being written finish undisturbed, and you can roll back again.`}
        action="Roll back"
        onConfirm={() => rollback.mutate()}
      />
    </div>
  );
}

function reasonNot(allowed: boolean, previous: ModelVersion | undefined): string | null {
  if (!allowed) return 'Only an administrator can roll back.';
  return previous ? null : 'There is no earlier version yet.';
}
