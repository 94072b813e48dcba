import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import type { ChartProps } from './chart';

type ChartTableProps = Pick<ChartProps, 'title' | 'xs' | 'xName' | 'formatX' | 'series' | 'format'>;

/** All values of a chart as a table, made once it is opened. */
export function ChartTable(props: ChartTableProps) {
  const [open, setOpen] = useState(false);
  return (
    <details className="group text-sm" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="inline-flex list-none items-center gap-1 rounded-md text-muted-foreground text-xs hover:text-foreground [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden className="size-3.5 transition-transform group-open:rotate-90" />
        As a table<span className="sr-only">: {props.title}</span>
      </summary>
      {open && <Rows {...props} />}
    </details>
  );
}

function Rows({ title, xs, xName, formatX, series, format }: ChartTableProps) {
  return (
    <section
      aria-label={`${title}, as a table`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a table that scrolls must be reachable by keyboard
      tabIndex={0}
      className="mt-2 max-h-72 overflow-auto rounded-lg border"
    >
      <table className="w-full text-right text-xs tabular-nums">
        <thead className="sticky top-0 bg-muted text-muted-foreground">
          <tr>
            <th scope="col" className="px-3 py-1.5 text-left font-medium">
              {xName}
            </th>
            {series.map(({ name }) => (
              <th key={name} scope="col" className="px-3 py-1.5 font-medium">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y">
          {xs.map((x, i) => (
            <tr key={x}>
              <th scope="row" className="px-3 py-1 text-left font-normal">
                {formatX(x)}
              </th>
              {series.map(({ name, values }) => {
                const value = values[i] ?? null;
                return (
                  <td key={name} className="px-3 py-1">
                    {value === null ? '–' : format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
