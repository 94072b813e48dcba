import { humanize } from '@/lib/format';

/** Why something was not learned from, in words. */
const REASONS: Record<string, string> = {
  excluded: 'excluded by an admin',
  thumbs_down: 'rated as bad',
  no_consent: 'no consent to training',
  no_prompt: 'no question before it',
  unfinished: 'answer not finished',
  cut_off: 'answer cut at its limit',
  empty: 'empty',
  unknown_prompt: 'prompt of an unknown form',
  tombstoned: 'file was erased',
  language: 'language is not trained on',
  too_long: 'too long',
  over_limit: 'more than a run may learn from',
  license: 'under a license that is not learned from',
  secret: 'has a password or key in it',
  duplicate: 'the same as another',
  near_duplicate: 'nearly the same as another',
  near_duplicate_of_held_out: 'nearly the same as a row that judges',
};

export function reasonWords(reason: string): string {
  return REASONS[reason] ?? humanize(reason).toLowerCase();
}

/** Where rows come from, in words. */
const SOURCES: Record<string, string> = {
  correction: 'Corrections',
  rating: 'Good ratings',
  interaction: 'Accepted API calls',
  document: 'Source files',
  replay: 'General code',
};

export function sourceWords(source: string): string {
  return SOURCES[source] ?? humanize(source);
}

/** What rows are for, in words. */
const SPLITS: Record<string, string> = {
  train: 'to learn from',
  dev: 'to know when to stop',
  gate: 'to judge by',
};

export function splitWords(split: string): string {
  return SPLITS[split] ?? split;
}
