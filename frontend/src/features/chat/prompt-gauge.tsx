import type { Estimate } from '@/api/generated';
import { cn } from '@/lib/cn';
import { percent } from '@/lib/format';
import { detailWords, sizeWords, timeWords } from './estimate-words';

/** From so many percent on there is little room left for the answer. */
const NARROW = 85;

/** How much of the context a question would take, and how long until the first word. */
export default function PromptGauge({ estimate }: { estimate: Estimate }) {
  const { prompt, limit_tokens: limit, over_tokens: over } = estimate;
  const share = limit === null ? null : percent(prompt.tokens, limit);
  const time = over > 0 ? null : timeWords(estimate);
  return (
    <span
      data-testid="gauge"
      title={over > 0 ? undefined : detailWords(estimate)}
      className={cn('flex min-w-0 items-center gap-2 tabular-nums', over > 0 && 'text-destructive')}
    >
      {share !== null && (
        // biome-ignore lint/a11y/useSemanticElements: browsers draw a <meter> each in their own way
        <span
          role="meter"
          aria-label="Context used"
          aria-valuenow={share}
          aria-valuemin={0}
          aria-valuemax={100}
          className="h-1 w-10 shrink-0 overflow-hidden rounded-full bg-secondary max-sm:hidden"
        >
          <span
            className={cn('block h-full rounded-full', share >= NARROW ? 'bg-destructive' : 'bg-primary')}
            style={{ width: `${share}%` }}
          />
        </span>
      )}
      <span className="truncate max-sm:whitespace-normal">
        {sizeWords(estimate)}
        {time && ` · ${time}`}
      </span>
    </span>
  );
}
