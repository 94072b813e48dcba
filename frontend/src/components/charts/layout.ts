import type { ChartProps } from './chart';
import { axisOf, scaleOf } from './scale';

export const HEIGHT = 208;
const MARGIN = { top: 10, right: 10, bottom: 24, left: 52 };

/** Where everything stands in a drawing that is `width` pixels wide; `room` is the width of one place on the x axis. */
export function layoutOf({ kind, xs, series }: Pick<ChartProps, 'kind' | 'xs' | 'series'>, width: number) {
  const isBars = kind === 'bars';
  const axis = axisOf(isBars ? stacked(xs, series) : series.flatMap(({ values }) => values.filter(isThere)), {
    zero: isBars,
  });
  const inside = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: HEIGHT - MARGIN.bottom,
  };
  const room = (inside.right - inside.left) / Math.max(1, xs.length);
  const half = isBars ? room / 2 : 0;
  const places = placesOf(xs, inside.left + half, inside.right - half);
  return { axis, inside, places, room, y: scaleOf(axis, inside.bottom, inside.top) };
}

function stacked(xs: number[], series: ChartProps['series']): number[] {
  return xs.map((_, i) => series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0));
}

function isThere(value: number | null): value is number {
  return value !== null;
}

function placesOf(xs: number[], from: number, to: number): number[] {
  if (xs.length === 1) return [(from + to) / 2];
  return xs.map(scaleOf({ min: xs[0] ?? 0, max: xs.at(-1) ?? 1 }, from, to));
}

/** How many of these labels have room beside each other. */
export function labelsIn(width: number, labels: string[]): number {
  const longest = Math.max(0, ...labels.map((label) => label.length));
  return Math.max(2, Math.floor(width / (longest * 6.5 + 24)));
}
