import { Check, X } from 'lucide-react';
import { formatFigure } from '@/lib/format';
import type { Check as Line, Verdict } from './verdict';
import { intervalWords, verdictWords } from './verdict-words';

const HEAD = 'px-3 py-2 font-medium';
/** Columns that a narrow page puts under the name of the check. */
const WIDE = 'hidden px-3 py-2 @2xl:table-cell';

/** The gate's figures: the version served before, the candidate, and what was asked of it. */
export function VerdictTable({ verdict }: { verdict: Verdict }) {
  return (
    <div className="@container overflow-hidden rounded-xl border bg-card">
      <table aria-label="Verdict of the gate" className="w-full text-left text-sm tabular-nums">
        <thead className="bg-muted text-muted-foreground text-xs">
          <tr>
            <th scope="col" className={HEAD}>
              Check
            </th>
            <th scope="col" className={`${HEAD} text-right`}>
              Before
            </th>
            <th scope="col" className={`${HEAD} text-right`}>
              After
            </th>
            <th scope="col" className={`${WIDE} font-medium`}>
              Change, 95 % interval
            </th>
            <th scope="col" className={`${WIDE} font-medium`}>
              Verdict
            </th>
          </tr>
        </thead>
        <tbody className="divide-y">
          {verdict.checks.map((check) => (
            <Row key={check.check} check={check} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ check }: { check: Line }) {
  return (
    <tr className="align-top">
      <th scope="row" className="px-3 py-2 font-normal">
        {check.check}
        <p className="text-muted-foreground text-xs">asked for: {check.threshold}</p>
        <div className="mt-1 text-xs @2xl:hidden">
          <Passed check={check} />
        </div>
      </th>
      <td className="px-3 py-2 text-right text-muted-foreground">{formatFigure(check.champion)}</td>
      <td className="px-3 py-2 text-right">{formatFigure(check.candidate)}</td>
      <td className={`${WIDE} whitespace-nowrap text-muted-foreground`}>{intervalWords(check.interval)}</td>
      <td className={WIDE}>
        <Passed check={check} />
      </td>
    </tr>
  );
}

function Passed({ check }: { check: Line }) {
  return (
    <span className="flex items-start gap-1.5">
      {check.passed ? (
        <Check role="img" aria-label="Passed:" className="mt-0.5 size-4 shrink-0 text-primary" />
      ) : (
        <X role="img" aria-label="Failed:" className="mt-0.5 size-4 shrink-0 text-destructive" />
      )}
      {verdictWords(check)}
    </span>
  );
}
