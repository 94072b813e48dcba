import { formatCount } from '@/lib/format';
import { reasonWords, sourceWords, splitWords } from '@/lib/training-words';
import { countsAt, type Json, sumOf } from './report';

/** What a run had to learn from, counted, and what it left out for which reason. */
export function RunData({ report }: { report: Json }) {
  const rejected = countsAt(report, 'rejected');
  return (
    <div className="grid gap-3 sm:grid-cols-3">
      <Counts title="Rows" counts={countsAt(report, 'rows')} words={splitWords} />
      <Counts title="Where from" counts={countsAt(report, 'sources')} words={sourceWords} />
      <Counts title="Left out" counts={rejected} words={reasonWords} empty="Nothing was left out." />
    </div>
  );
}

interface CountsProps {
  title: string;
  counts: [string, number][];
  words: (name: string) => string;
  empty?: string;
}

function Counts({ title, counts, words, empty = 'None.' }: CountsProps) {
  return (
    <section aria-label={title} className="rounded-xl border bg-card p-4">
      <h3 className="flex justify-between gap-3 font-medium text-sm tabular-nums">
        {title}
        <span>{formatCount(sumOf(counts))}</span>
      </h3>
      {counts.length === 0 && <p className="mt-1.5 text-muted-foreground text-sm">{empty}</p>}
      <ul className="mt-1.5 flex flex-col gap-1 text-muted-foreground text-sm tabular-nums">
        {counts.map(([name, count]) => (
          <li key={name} className="flex justify-between gap-3">
            <span className="min-w-0">{words(name)}</span>
            <span>{formatCount(count)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
