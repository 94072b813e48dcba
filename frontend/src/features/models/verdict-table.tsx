import { Check, X } from 'lucide-react';
import { formatFigure } from '@/lib/format';
import type { Verdict } from './verdict';

/** The gate's figures: the version served before, the candidate, and what was asked of it. */
export function VerdictTable({ verdict }: { verdict: Verdict }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a table that scrolls must be reachable by keyboard
    <section aria-label="Verdict of the gate" tabIndex={0} className="overflow-x-auto rounded-xl border">
      <table className="w-full text-left text-sm tabular-nums">
        <thead className="bg-muted text-muted-foreground text-xs">
          <tr>
            <th scope="col" className="px-3 py-2 font-medium">
              Check
            </th>
            <th scope="col" className="px-3 py-2 text-right font-medium">
              Before
            </th>
            <th scope="col" className="px-3 py-2 text-right font-medium">
              After
            </th>
            <th scope="col" className="px-3 py-2 font-medium">
              Asked for
            </th>
            <th scope="col" className="px-3 py-2 font-medium">
              Passed
            </th>
          </tr>
        </thead>
        <tbody>
          {verdict.checks.map((check) => (
            <tr key={check.check} className="border-t">
              <th scope="row" className="px-3 py-2 font-normal">
                {check.check}
              </th>
              <td className="px-3 py-2 text-right text-muted-foreground">{formatFigure(check.champion)}</td>
              <td className="px-3 py-2 text-right">{formatFigure(check.candidate)}</td>
              <td className="px-3 py-2 text-muted-foreground text-xs">{check.threshold}</td>
              <td className="px-3 py-2">
                {check.passed ? (
                  <Check role="img" aria-label="yes" className="size-4 text-primary" />
                ) : (
                  <X role="img" aria-label="no" className="size-4 text-destructive" />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
