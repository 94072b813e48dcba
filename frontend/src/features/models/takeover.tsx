import type { ModelsPage } from '@/api/generated';
import { Progress } from '@/components/ui/progress';
import { percent } from '@/lib/format';
import { isChangingOver } from './queries';

/** How many servers have followed to a new champion, while some have not. */
export function Takeover({ models }: { models: ModelsPage }) {
  const { servers, taken_over: takenOver, champion } = models;
  const name = models.items.find(({ id }) => id === champion)?.name ?? 'The champion';
  return (
    <div role="status" className="empty:-mt-3">
      {isChangingOver(models) && (
        <div className="flex flex-col gap-2 rounded-xl bg-accent px-3.5 py-2.5 text-accent-foreground text-sm">
          <p>
            {name} is taken over by {takenOver} of {servers} {servers === 1 ? 'server' : 'servers'}. Each
            loads it first and then changes over; until then it answers with the version before.
          </p>
          <Progress
            label="Servers that have taken it over"
            value={percent(takenOver, servers)}
            className="h-1.5"
          />
        </div>
      )}
    </div>
  );
}
