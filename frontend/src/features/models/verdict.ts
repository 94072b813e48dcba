/** The gate's verdict and the progress of a run, read from free-form JSON. */

import { isObject, type Json } from './report';

export interface Check {
  check: string;
  champion: unknown;
  candidate: unknown;
  threshold: string;
  passed: boolean;
  /** 95 % interval of candidate minus champion, where there is one. */
  interval: [number, number] | null;
}

export interface Verdict {
  passed: boolean;
  gateRows: number | null;
  checks: Check[];
}

/** The gate's verdict, or null when there is none or it has another shape. */
export function verdictOf(value: unknown): Verdict | null {
  if (!isObject(value) || typeof value.passed !== 'boolean' || !Array.isArray(value.checks)) return null;
  return {
    passed: value.passed,
    gateRows: typeof value.gate_rows === 'number' ? value.gate_rows : null,
    checks: value.checks.filter(isObject).map(checkOf),
  };
}

function checkOf(value: Json): Check {
  return {
    check: String(value.check ?? ''),
    champion: value.champion,
    candidate: value.candidate,
    threshold: String(value.threshold ?? ''),
    passed: value.passed === true,
    interval: intervalOf(value.interval),
  };
}

function intervalOf(value: unknown): [number, number] | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [low, high] = value;
  return typeof low === 'number' && typeof high === 'number' ? [low, high] : null;
}

export interface RunProgress {
  /** 0 to 1, of the stage. */
  fraction: number;
  etaS: number | null;
  /** Whatever else the stage measures: loss, tokens. */
  figures: [string, unknown][];
}

const KNOWN = new Set(['stage', 'fraction', 'eta_s', 'resumable']);

export function progressOf(value: unknown): RunProgress {
  if (!isObject(value)) return { fraction: 0, etaS: null, figures: [] };
  return {
    fraction: typeof value.fraction === 'number' ? Math.min(1, Math.max(0, value.fraction)) : 0,
    etaS: typeof value.eta_s === 'number' ? value.eta_s : null,
    figures: Object.entries(value).filter(([key, figure]) => !KNOWN.has(key) && !isObject(figure)),
  };
}

/** The figures of a version that fit on a line: its own numbers, or the verdict's checks. */
export function figuresOf(metrics: Json): [string, unknown][] {
  const plain = Object.entries(metrics).filter(
    ([, value]) => typeof value === 'number' || typeof value === 'string',
  );
  const checks = verdictOf(metrics.verdict)?.checks ?? [];
  const measured = checks.filter(({ candidate }) => typeof candidate === 'number');
  return [...plain, ...measured.map(({ check, candidate }): [string, unknown] => [check, candidate])];
}
