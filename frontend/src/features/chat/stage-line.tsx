import { Progress } from '@/components/ui/progress';
import { cn } from '@/lib/cn';
import { percent } from '@/lib/format';
import { stageSentence } from './stages';
import type { StreamState } from './stream';

/** What the answer that is being made is waiting for or doing, in words. */
export function StageLine({ stream }: { stream: StreamState }) {
  const { stage, connection } = stream;
  const sentence = stageSentence(stream);
  return (
    <div
      data-testid="stage"
      data-stage={stage.kind}
      className="mt-3 text-muted-foreground text-xs tabular-nums"
    >
      <div className="flex items-center gap-2">
        <span
          aria-hidden
          className={cn(
            'size-2 animate-breathe rounded-full',
            connection === 'waiting' ? 'bg-destructive' : 'bg-primary',
          )}
        />
        {sentence}
      </div>
      {stage.kind === 'reading' && (
        <Progress className="mt-2 max-w-56" label="Prompt read" value={percent(stage.done, stage.total)} />
      )}
    </div>
  );
}
