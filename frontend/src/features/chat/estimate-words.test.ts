import { expect, it } from 'vitest';
import type { PartTokens } from '@/api/generated';
import { makeEstimate } from '@/testing/fixtures';
import { cutWords, detailWords, rereadWords, sizeWords, timeWords } from './estimate-words';

const part = (tokens: number, atLeast = false): PartTokens => ({ tokens, at_least: atLeast });

it('says how much of the context a question takes', () => {
  expect(sizeWords(makeEstimate())).toBe('2,140 of 8,191 tokens');
  expect(sizeWords(makeEstimate({ exact: false, limit_tokens: null }))).toBe('about 2,140 tokens');
  expect(sizeWords(makeEstimate({ prompt: part(9000, true) }))).toBe('at least 9,000 of 8,191 tokens');
});

it('says when the first word comes, as far as that is known', () => {
  expect(timeWords(makeEstimate())).toBe('first word in about 4 s');
  expect(timeWords(makeEstimate({ wait_s: 40, reading_s: 10 }))).toBe('first word in about 50 s');
  expect(timeWords(makeEstimate({ reading_s: 0.2 }))).toBe('first word at once');
  expect(timeWords(makeEstimate({ reading_s: null, wait_s: 30 }))).toBe('starts in about 30 s');
  expect(timeWords(makeEstimate({ reading_s: null, wait_s: null }))).toBeNull();
  expect(detailWords(makeEstimate({ wait_s: 20 }))).toBe(
    'about 20 s in the queue, about 4 s to read the prompt, 2,000 tokens of it are known from before',
  );
});

it('warns of an edit after which most has to be read again, where that takes long', () => {
  const far = makeEstimate({ cached_tokens: 100, reading_s: 95 });
  expect(rereadWords(far)).toContain('about 2 min of reading');
  expect(rereadWords({ ...far, reading_s: 2 })).toBeNull();
  expect(rereadWords({ ...far, cached_tokens: 2000 })).toBeNull();
  expect(rereadWords({ ...far, cached_tokens: null })).toBeNull();
});

it('names what could be cut, the largest files first, and nothing that would not help', () => {
  const long = makeEstimate({
    prompt: part(9400),
    over_tokens: 1209,
    content: part(40),
    attachments: [part(500), part(5000)],
  });
  expect(cutWords(long, ['small.py', 'big.py'])).toBe(
    '1,209 tokens too long: the model reads 8,191 at most. Remove big.py (5,000 tokens), or remove small.py (500 tokens), or start a new chat (3,860 tokens).',
  );
  expect(cutWords(makeEstimate(), [])).toBeNull();
  const draft = makeEstimate({ prompt: part(9000, true), content: part(9000, true), over_tokens: 809 });
  expect(cutWords(draft, [])).toBe(
    'At least 809 tokens too long: the model reads 8,191 at most. Shorten the message (at least 9,000 tokens).',
  );
});
