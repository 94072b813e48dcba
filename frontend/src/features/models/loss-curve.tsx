import { Chart } from '@/components/charts/chart';
import { formatCount, formatFigure } from '@/lib/format';
import type { Curve } from './report';

/** How the loss fell while the model was learning. */
export function LossCurve({ curve }: { curve: Curve }) {
  const { steps, train, dev, tokensPerStep } = curve;
  const step = (value: number) =>
    tokensPerStep === null
      ? formatCount(value)
      : `${formatCount(value)} (${compact.format(value * tokensPerStep)} tok)`;
  const series = [
    { name: 'Rows it learns from', values: train, tone: 'quiet' as const },
    { name: 'Dev rows', values: dev, tone: 'accent' as const },
  ];
  return (
    <Chart
      title="Loss by step"
      summary={`${fall('On the rows it learns from', train)} ${fall('On dev rows, which it does not learn from,', dev)}`}
      kind="lines"
      xs={steps}
      xName="Step"
      formatX={step}
      series={series}
      format={formatFigure}
    />
  );
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

function fall(where: string, values: (number | null)[]): string {
  const known = values.filter((value) => value !== null);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return `${where} the loss has not been measured.`;
  return `${where} the loss went from ${formatFigure(first)} to ${formatFigure(last)}.`;
}
