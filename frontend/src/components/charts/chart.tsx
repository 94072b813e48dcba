import { type PointerEvent, useState } from 'react';
import { useWidth } from '@/lib/use-width';
import { ChartTable } from './chart-table';
import { HEIGHT, labelsIn, layoutOf } from './layout';
import { Marks } from './marks';
import { spread } from './scale';

export interface Series {
  name: string;
  /** One for each place on the x axis; null where there is none. */
  values: (number | null)[];
  tone: 'accent' | 'quiet';
}

export interface ChartProps {
  title: string;
  /** What it shows, in a sentence: read out instead of the drawing. */
  summary: string;
  kind: 'lines' | 'bars';
  /** Where on the x axis the values stand, ascending. */
  xs: number[];
  xName: string;
  formatX: (x: number) => string;
  series: Series[];
  format: (value: number) => string;
}

/** Lines, or bars that stand on each other, with a legend that reads the values out and a table with all of them. */
export function Chart({ title, summary, kind, xs, xName, formatX, series, format }: ChartProps) {
  const { ref, width } = useWidth(640);
  const [at, setAt] = useState<number | null>(null);
  const { axis, inside, places, y, room } = layoutOf({ kind, xs, series }, width);
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    setAt(nearest(places, x));
  };
  return (
    <figure className="flex min-w-0 flex-col gap-3 rounded-xl border bg-card p-4">
      <figcaption className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <span className="font-medium text-sm">{title}</span>
        <Legend series={series} at={at} format={format} when={at === null ? null : formatX(xs[at] ?? 0)} />
      </figcaption>
      <div ref={ref} className="min-w-0">
        <svg
          role="img"
          aria-label={`${title}. ${summary}`}
          width="100%"
          height={HEIGHT}
          onPointerMove={point}
          onPointerLeave={() => setAt(null)}
          className="block touch-pan-y select-none"
        >
          <Grid ticks={axis.ticks} from={inside.left} to={inside.right} y={y} format={format} />
          {spread(xs.length, labelsIn(inside.right - inside.left, xs.map(formatX))).map((i) => (
            <text
              key={xs[i]}
              x={places[i]}
              y={HEIGHT - 6}
              textAnchor={anchorOf(i, xs.length)}
              className={LABEL}
            >
              {formatX(xs[i] ?? 0)}
            </text>
          ))}
          {at !== null && (
            <line
              x1={places[at]}
              x2={places[at]}
              y1={inside.top}
              y2={inside.bottom}
              className="stroke-input"
            />
          )}
          <Marks kind={kind} series={series} places={places} y={y} width={room} />
        </svg>
      </div>
      <ChartTable title={title} xs={xs} xName={xName} formatX={formatX} series={series} format={format} />
    </figure>
  );
}

const LABEL = 'fill-muted-foreground text-xs tabular-nums';

interface GridProps {
  ticks: number[];
  from: number;
  to: number;
  y: (value: number) => number;
  format: (value: number) => string;
}

/** Lines across at round values, with what they are. */
function Grid({ ticks, from, to, y, format }: GridProps) {
  return ticks.map((tick) => (
    <g key={tick}>
      <line x1={from} x2={to} y1={y(tick)} y2={y(tick)} className="stroke-border" />
      <text x={from - 8} y={y(tick)} dy="0.32em" textAnchor="end" className={LABEL}>
        {format(tick)}
      </text>
    </g>
  ));
}

function nearest(places: number[], x: number): number | null {
  if (places.length === 0) return null;
  const distance = (i: number) => Math.abs((places[i] ?? 0) - x);
  return places.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
}

function anchorOf(i: number, count: number): 'middle' | 'end' | 'start' {
  if (i === count - 1 && count > 1) return 'end';
  return i === 0 && count > 1 ? 'start' : 'middle';
}

interface LegendProps {
  series: Series[];
  at: number | null;
  when: string | null;
  format: (value: number) => string;
}

/** What the marks mean; under the pointer, also the values there. */
function Legend({ series, at, when, format }: LegendProps) {
  return (
    <span className="flex flex-wrap gap-x-4 text-muted-foreground text-xs tabular-nums">
      {when !== null && <span className="font-medium text-foreground">{when}</span>}
      {series.map(({ name, tone, values }) => {
        const value = at === null ? null : (values[at] ?? null);
        return (
          <span key={name} className="inline-flex items-center gap-1.5">
            <span
              aria-hidden
              className={`h-2 w-3.5 rounded-sm ${tone === 'accent' ? 'bg-primary' : 'bg-muted-foreground'}`}
            />
            {name}
            {value !== null && <span className="text-foreground">{format(value)}</span>}
          </span>
        );
      })}
    </span>
  );
}
