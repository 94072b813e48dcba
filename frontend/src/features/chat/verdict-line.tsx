import { Scale } from 'lucide-react';
import type { Comparison } from '@/api/generated';

/** Under an answer that was compared: how, and with which model. */
export function VerdictLine({ comparison }: { comparison: Comparison }) {
  return (
    <p data-testid="verdict" className="mt-2 flex items-start gap-1.5 text-muted-foreground text-xs">
      <Scale aria-hidden className="mt-px size-3.5 shrink-0" />
      <span className="[overflow-wrap:anywhere]">{verdict(comparison)}</span>
    </p>
  );
}

function verdict({ vote, left_model: left, right_model: right }: Comparison): string {
  switch (vote) {
    case 'left':
      return `Compared blind: you preferred ${left} to ${right}.`;
    case 'right':
      return `Compared blind: you preferred ${right} to ${left}.`;
    case 'tie':
      return `Compared blind: a tie between ${left} (left) and ${right} (right).`;
    case 'bad':
      return `Compared blind: neither ${left} (left) nor ${right} (right) was good.`;
    default:
      return `Compared without a vote: left was ${left}, right was ${right}.`;
  }
}
