import type { RowCount } from '@/api/generated';
import { cn } from '@/lib/cn';
import { formatCount } from '@/lib/format';
import { reasonWords } from '@/lib/training-words';
import type { RowFilter } from './row-queries';

interface RowSummaryProps {
  counts: RowCount[];
  filter: RowFilter;
  onFilter: (filter: RowFilter) => void;
}

/** How many rows were kept, and how many left out for which reason; a press shows those. */
export function RowSummary({ counts, filter, onFilter }: RowSummaryProps) {
  const kept = sum(counts.filter((count) => count.kept));
  const reasons = totals(counts);
  return (
    <ul aria-label="Counts by reason" className="flex flex-wrap gap-2">
      <Chip
        words="kept"
        rows={kept}
        pressed={filter.kept === true}
        onPress={(on) => onFilter(on ? { kept: true } : {})}
      />
      {reasons.length > 0 && <li className="self-center text-muted-foreground text-sm">left out:</li>}
      {reasons.map(([reason, rows]) => (
        <Chip
          key={reason}
          words={reasonWords(reason)}
          rows={rows}
          pressed={filter.reason === reason}
          onPress={(on) => onFilter(on ? { reason } : {})}
        />
      ))}
    </ul>
  );
}

/** Rows that were left out, by reason, the most frequent first. */
export function totals(counts: RowCount[]): [string, number][] {
  const reasons = new Map<string, number>();
  for (const { reason, rows } of counts) {
    if (reason !== null) reasons.set(reason, (reasons.get(reason) ?? 0) + rows);
  }
  return [...reasons].sort(([, a], [, b]) => b - a);
}

function sum(counts: RowCount[]): number {
  return counts.reduce((total, { rows }) => total + rows, 0);
}

interface ChipProps {
  words: string;
  rows: number;
  pressed: boolean;
  onPress: (on: boolean) => void;
}

function Chip({ words, rows, pressed, onPress }: ChipProps) {
  return (
    <li>
      <button
        type="button"
        aria-pressed={pressed}
        onClick={() => onPress(!pressed)}
        className={cn(
          'rounded-full border px-3 py-1 text-sm tabular-nums',
          pressed ? 'border-primary bg-accent text-accent-foreground' : 'bg-card hover:bg-muted',
        )}
      >
        <span className="font-medium">{formatCount(rows)}</span> {words}
      </button>
    </li>
  );
}
