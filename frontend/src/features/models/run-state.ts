import type { RunState, TrainingRun } from '@/api/generated';
import type { Tone } from '@/components/ui/badge';
import { formatSeconds } from '@/lib/format';
import { verdictOf } from './verdict';

export const STATES: Record<RunState, { words: string; tone: Tone }> = {
  running: { words: 'Running', tone: 'accent' },
  published: { words: 'Published', tone: 'accent' },
  rejected: { words: 'Refused by the gate', tone: 'warning' },
  nothing_to_do: { words: 'Nothing to learn yet', tone: 'neutral' },
  failed: { words: 'Failed', tone: 'danger' },
};

export const STAGES = ['extract', 'train', 'export', 'evaluate', 'publish'];

/** A run that has said nothing for so long has lost its process. */
const SILENT_MS = 10 * 60_000;

/** `took 3 min 20 s`; nothing while it runs. */
export function durationOf(run: TrainingRun): string {
  if (!run.finished_at) return '';
  return `took ${formatSeconds((Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000)}`;
}

function failedChecks(run: TrainingRun): string {
  const failed = verdictOf(run.verdict)?.checks.filter(({ passed }) => !passed) ?? [];
  return failed.length ? ` (${failed.map(({ check }) => check).join(', ')})` : '';
}

/** What somebody should know or do about a run; null when all is as it should be. */
export function adviceFor(
  run: TrainingRun,
  now = Date.now(),
): { tone: 'info' | 'warning' | 'error'; text: string } | null {
  if (run.state === 'failed') return { tone: 'error', text: `${sentence(run.error)} ${afterFailure(run)}` };
  if (run.state === 'rejected')
    return {
      tone: 'warning',
      text: `The gate refused the new version${failedChecks(run)}, so nothing changed: the version before it goes on answering. More ratings and corrections give the next run more to learn from.`,
    };
  if (run.state === 'nothing_to_do')
    return {
      tone: 'info',
      text: String(
        (run.stages.extract as { nothing_to_do?: unknown } | undefined)?.nothing_to_do ??
          'There was too little to learn from.',
      ),
    };
  if (run.state === 'running' && now - Date.parse(run.heartbeat_at) > SILENT_MS)
    return {
      tone: 'warning',
      text: 'This run has said nothing for a while; its process is gone or stuck. Start it again (“make finetune”, or the CronJob does): it goes on where it stopped.',
    };
  return null;
}

function sentence(error: string | null): string {
  const text = (error ?? 'It failed, and left no reason').trim();
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function afterFailure({ progress, error }: TrainingRun): string {
  if (error?.startsWith('replaced by a newer run')) return '';
  return progress.resumable === true
    ? 'It may be tried again: “make finetune”, or the next weekly run, goes on where it stopped.'
    : 'Put that right, then start it anew with “make finetune”, or wait for the next weekly run.';
}
