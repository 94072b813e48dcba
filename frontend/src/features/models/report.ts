/** Reading what stages report. The columns are free-form JSON, so everything is checked before it is shown. */

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands under a name, if it is an object; else an empty one. */
export function objectAt(value: Json, name: string): Json {
  const found = value[name];
  return isObject(found) ? found : {};
}

export function numberAt(value: Json, name: string): number | null {
  const found = value[name];
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

export function textAt(value: Json, name: string): string | null {
  const found = value[name];
  return typeof found === 'string' && found !== '' ? found : null;
}

/** The counts under a name, the largest first. */
export function countsAt(value: Json, name: string): [string, number][] {
  return Object.entries(objectAt(value, name))
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .sort(([, a], [, b]) => b - a);
}

export function sumOf(counts: [string, number][]): number {
  return counts.reduce((sum, [, count]) => sum + count, 0);
}

export interface Curve {
  /** Steps of the optimizer, ascending. */
  steps: number[];
  train: (number | null)[];
  dev: (number | null)[];
  tokensPerStep: number | null;
}

/** The loss curve of a training, or null while there is nothing to draw. */
export function curveOf(value: unknown): Curve | null {
  if (!isObject(value)) return null;
  const train = pointsOf(value.train);
  const dev = pointsOf(value.dev);
  const steps = [...new Set([...train.keys(), ...dev.keys()])].sort((a, b) => a - b);
  if (steps.length < 2) return null;
  return {
    steps,
    train: steps.map((step) => train.get(step) ?? null),
    dev: steps.map((step) => dev.get(step) ?? null),
    tokensPerStep: numberAt(value, 'tokens_per_step'),
  };
}

function pointsOf(value: unknown): Map<number, number> {
  const points = Array.isArray(value) ? value : [];
  return new Map(points.filter(isPoint));
}

function isPoint(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => Number.isFinite(part));
}
