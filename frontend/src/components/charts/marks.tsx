import type { Series } from './chart';

interface MarksProps {
  kind: 'lines' | 'bars';
  series: Series[];
  places: number[];
  y: (value: number) => number;
  /** Room for a bar, in pixels. */
  width: number;
}

/** What is drawn inside the axes. */
export function Marks({ kind, series, places, y, width }: MarksProps) {
  if (kind === 'bars') return <Bars series={series} places={places} y={y} width={width} />;
  return series.map((one) => <Line key={one.name} series={one} places={places} y={y} />);
}

/** Few enough points to be seen one by one. */
const DOTTED = 40;

function Line({ series, places, y }: { series: Series } & Pick<MarksProps, 'places' | 'y'>) {
  const points = series.values.flatMap((value, i) =>
    value === null ? [] : [[places[i] ?? 0, y(value)] as const],
  );
  const colour =
    series.tone === 'accent'
      ? 'stroke-primary fill-primary'
      : 'stroke-muted-foreground fill-muted-foreground';
  return (
    <g className={colour}>
      <polyline
        points={points.map(([x, top]) => `${x.toFixed(1)},${top.toFixed(1)}`).join(' ')}
        fill="none"
        strokeWidth={series.tone === 'accent' ? 2 : 1.5}
        strokeDasharray={series.tone === 'accent' ? undefined : '5 3'}
        strokeLinejoin="round"
      />
      {points.length <= DOTTED &&
        points.map(([x, top]) => <circle key={x} cx={x} cy={top} r={2.5} stroke="none" />)}
    </g>
  );
}

function Bars({ series, places, y, width }: Omit<MarksProps, 'kind'>) {
  const bar = Math.max(1, Math.min(28, width * 0.7));
  return places.map((x, i) => {
    let below = 0;
    return series.map(({ name, values, tone }) => {
      const value = values[i] ?? 0;
      const from = below;
      below += value;
      if (value === 0) return null;
      return (
        <rect
          key={`${name}-${x}`}
          x={x - bar / 2}
          width={bar}
          y={y(below)}
          height={Math.max(1, y(from) - y(below))}
          rx={Math.min(2, bar / 4)}
          className={tone === 'accent' ? 'fill-primary' : 'fill-muted-foreground'}
        />
      );
    });
  });
}
