import { formatBytes, formatCount, formatFigure, formatRate, formatSeconds } from '@/lib/format';
import { countsAt, type Json, numberAt, objectAt, sumOf, textAt } from './report';

/** What a stage is for, in words. */
export const PURPOSES: Record<string, string> = {
  extract: 'Collect what there is to learn from',
  train: 'Learn from it',
  export: 'Make a model file',
  evaluate: 'Measure it against the version that is served',
  publish: 'Serve it, if it is better',
};

/** What a finished stage reported, in short sentences. */
export function stageWords(stage: string, report: Json): string[] {
  switch (stage) {
    case 'extract':
      return extractWords(report);
    case 'train':
      return trainWords(report);
    case 'export':
      return exportWords(report);
    case 'evaluate':
      return evaluateWords(report);
    case 'publish':
      return publishWords(report);
    default:
      return [];
  }
}

/** How long the stage took, where it says so. */
export function stageDuration(stage: string, report: Json): string | null {
  const minutes = stage === 'train' ? numberAt(report, 'minutes') : null;
  const seconds = minutes === null ? numberAt(report, 'seconds') : minutes * 60;
  return seconds === null ? null : formatSeconds(seconds);
}

function extractWords(report: Json): string[] {
  const rows = objectAt(report, 'rows');
  const parts = [
    [numberAt(rows, 'train'), 'to learn from'],
    [numberAt(rows, 'dev'), 'to know when to stop'],
    [numberAt(rows, 'gate'), 'to judge by'],
  ] as const;
  const kept = parts.flatMap(([count, words]) => (count === null ? [] : [`${formatCount(count)} ${words}`]));
  const left = sumOf(countsAt(report, 'rejected'));
  const tokens = numberAt(report, 'train_tokens');
  return [
    kept.length > 0 ? `Rows: ${kept.join(', ')}` : '',
    tokens === null ? '' : `${formatCount(tokens)} tokens to learn from`,
    left > 0 ? `${formatCount(left)} left out` : '',
  ].filter(Boolean);
}

function trainWords(report: Json): string[] {
  const [steps, tokens, rate] = ['steps', 'tokens', 'tokens_per_second'].map((name) =>
    numberAt(report, name),
  );
  const before = numberAt(report, 'dev_loss_before');
  const after = numberAt(report, 'dev_loss_after');
  return [
    steps == null || tokens == null ? '' : `${formatCount(steps)} steps over ${formatCount(tokens)} tokens`,
    rate == null ? '' : formatRate(rate),
    before === null || after === null ? '' : `dev loss ${formatFigure(before)} → ${formatFigure(after)}`,
  ].filter(Boolean);
}

function exportWords(report: Json): string[] {
  const size = numberAt(report, 'size_bytes');
  const quantization = textAt(report, 'quantization') ?? '';
  const kept = numberAt(objectAt(report, 'gain_kept'), quantization);
  return [
    [quantization, size === null ? null : formatBytes(size)].filter(Boolean).join(', '),
    kept === null ? '' : `${Math.round(kept * 100)} % of what was learned survives rounding`,
  ].filter(Boolean);
}

function evaluateWords(report: Json): string[] {
  const rows = numberAt(report, 'gate_rows');
  return [
    report.passed === true ? 'Passed' : 'Refused',
    rows === null ? '' : `judged on ${formatCount(rows)} rows it has never seen`,
  ].filter(Boolean);
}

function publishWords(report: Json): string[] {
  const name = textAt(report, 'name');
  if (name === null) return [];
  return [
    report.state === 'rejected' ? `${name} was kept, and is not served` : `${name} became the champion`,
  ];
}
