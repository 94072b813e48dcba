import { formatFigure } from '@/lib/format';
import type { Check } from './verdict';

/** Checks whose figure is a loss: less is better, and the change is best said as a share. */
const LOSSES = /NLL/;

/** What a line of the verdict means, in words. */
export function verdictWords(check: Check): string {
  const { champion, candidate, passed } = check;
  if (typeof champion !== 'number' || typeof candidate !== 'number')
    return passed ? 'As it must be' : 'Not as it must be';
  if (champion === candidate) return passed ? 'Unchanged' : 'No better than before';
  if (LOSSES.test(check.check)) return lossWords(check, (candidate - champion) / champion);
  const change = `${formatFigure(Math.abs(candidate - champion))} ${candidate > champion ? 'more' : 'less'} than before`;
  return passed ? change : `${change}, beyond the limit`;
}

function lossWords({ passed, interval }: Check, change: number): string {
  const share = `${formatFigure(Math.round(Math.abs(change) * 1000) / 10)} %`;
  if (change < 0 && passed) return `Better by ${share}`;
  if (change < 0) return `Better by ${share}, but that may be chance`;
  if (passed) return `Worse by ${share}, within the limit`;
  return interval && interval[0] <= 0 ? `Worse by ${share}, though that may be chance` : `Worse by ${share}`;
}

/** `−0.021 to −0.008` */
export function intervalWords(interval: [number, number] | null): string {
  if (interval === null) return '–';
  return interval
    .map((value) => `${value > 0 ? '+' : ''}${formatFigure(value)}`.replace('-', '−'))
    .join(' to ');
}
