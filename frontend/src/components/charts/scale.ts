/** From figures to places in a drawing. Pure. */

export interface Axis {
  min: number;
  max: number;
  /** Round numbers between the two, with the ends. */
  ticks: number[];
}

/** An axis that holds all values and ends on round numbers; `zero` has it begin at 0. */
export function axisOf(
  values: number[],
  { zero = false, steps = 4 }: { zero?: boolean; steps?: number } = {},
): Axis {
  const low = zero ? 0 : Math.min(...values);
  const high = Math.max(...values, zero ? 0 : Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { min: 0, max: 1, ticks: [0, 1] };
  const step = roundStep(Math.max(high - low, Math.abs(high) * 1e-3, 1e-9) / steps);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => tidy((first + i) * step));
  return { min: ticks[0] ?? 0, max: ticks.at(-1) ?? 1, ticks };
}

/** The next of 1, 2, 5, 10, 20, … */
function roundStep(step: number): number {
  const size = 10 ** Math.floor(Math.log10(step));
  return size * ([1, 2, 5].find((factor) => factor * size >= step * (1 - 1e-9)) ?? 10);
}

/** Without what binary fractions add. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** A function from values to places between `from` and `to`. */
export function scaleOf(
  { min, max }: Pick<Axis, 'min' | 'max'>,
  from: number,
  to: number,
): (value: number) => number {
  return (value) => from + ((value - min) / (max - min || 1)) * (to - from);
}

/** Of many positions at most `most`, evenly spread, the last among them. */
export function spread(count: number, most: number): number[] {
  const every = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: Math.ceil(count / every) }, (_, i) => count - 1 - i * every).reverse();
}
