import type { Estimate, PartTokens } from '@/api/generated';
import { formatCount, formatEta } from '@/lib/format';

/** Reading for so long, in seconds, is worth a warning. */
const LONG_READ_S = 5;

/** `2,140 of 8,191 tokens` */
export function sizeWords({ prompt, limit_tokens: limit, exact }: Estimate): string {
  const count = counted(prompt, exact);
  return limit === null ? `${count} tokens` : `${count} of ${formatCount(limit)} tokens`;
}

/** `first word in about 4 s`; null when that is not known. */
export function timeWords({ wait_s: wait, reading_s: reading }: Estimate): string | null {
  if (reading === null) return wait !== null && wait >= 1 ? `starts in ${formatEta(wait)}` : null;
  const seconds = (wait ?? 0) + reading;
  return seconds < 2 ? 'first word at once' : `first word in ${formatEta(seconds)}`;
}

/** Where the time goes, for those who want to know. */
export function detailWords({ wait_s: wait, reading_s: reading, cached_tokens: cached }: Estimate): string {
  const parts = [
    wait !== null && `${formatEta(wait)} in the queue`,
    reading !== null && `${formatEta(reading)} to read the prompt`,
    cached !== null && `${formatCount(cached)} tokens of it are known from before`,
  ];
  return parts.filter(Boolean).join(', ');
}

/** For an edit: what the model has to read again because of it; null when that is quick. */
export function rereadWords({ prompt, cached_tokens: cached, reading_s: reading }: Estimate): string | null {
  if (cached === null || reading === null || reading < LONG_READ_S || cached * 2 > prompt.tokens) return null;
  return `Sending this takes ${formatEta(reading)} of reading, because everything from this question on is read again.`;
}

/** What of a prompt that is too long could be cut, the largest first. Null when it fits. */
export function cutWords(estimate: Estimate, names: readonly string[]): string | null {
  const { over_tokens: over, limit_tokens: limit, exact } = estimate;
  if (over === 0 || limit === null) return null;
  const files = estimate.attachments
    .map((part, place) => ({ part, words: `remove ${names[place] ?? 'a file'}` }))
    .toSorted((one, other) => other.part.tokens - one.part.tokens)
    .slice(0, 3);
  const message = { part: estimate.content, words: 'shorten the message' };
  const above = { part: { tokens: restOf(estimate), at_least: false }, words: 'start a new chat' };
  const ways = [...files, message, above].filter(({ part }) => part.tokens >= Math.min(over, limit / 20));
  const list = ways.map(({ part, words }) => `${words} (${counted(part, exact)} tokens)`).join(', or ');
  const much = `${estimate.prompt.at_least ? 'At least ' : ''}${formatCount(over)} tokens too long: the model reads ${formatCount(limit)} at most.`;
  return list ? `${much} ${list.charAt(0).toUpperCase()}${list.slice(1)}.` : much;
}

function restOf({ prompt, content, attachments }: Estimate): number {
  if (prompt.at_least) return 0;
  return attachments.reduce((left, part) => left - part.tokens, prompt.tokens - content.tokens);
}

function counted({ tokens, at_least: atLeast }: PartTokens, exact: boolean): string {
  if (atLeast) return `at least ${formatCount(tokens)}`;
  return exact ? formatCount(tokens) : `about ${formatCount(tokens)}`;
}
