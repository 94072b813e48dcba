import { expect, it } from 'vitest';
import { makePrompt } from '@/testing/fixtures';
import { matching } from './queries';

const REVIEW = makePrompt({ title: 'Review', content: 'Look for races in this code.' });
const TESTS = makePrompt({ title: 'Unit tests', content: 'Write pytest tests for this code.' });

it('finds prompts by words of their title or text, in any order and any case', () => {
  const found = (words: string) => matching([REVIEW, TESTS], words).map(({ title }) => title);
  expect(found('')).toEqual(['Review', 'Unit tests']);
  expect(found('CODE pytest')).toEqual(['Unit tests']);
  expect(found('  review ')).toEqual(['Review']);
  expect(found('review pytest')).toEqual([]);
});
