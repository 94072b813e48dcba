import { describe, expect, it } from 'vitest';
import type { Check } from './verdict';
import { intervalWords, verdictWords } from './verdict-words';

const words = (changes: Partial<Check>) =>
  verdictWords({
    check: 'gate NLL',
    champion: 2,
    candidate: 1.8,
    threshold: '',
    passed: true,
    interval: [-0.3, -0.1],
    ...changes,
  });

describe('a line of the verdict', () => {
  it.each<[Partial<Check>, string]>([
    [{}, 'Better by 10 %'],
    [{ passed: false, interval: [-0.3, 0.1] }, 'Better by 10 %, but that may be chance'],
    [{ candidate: 2.002, check: 'general-code NLL' }, 'Worse by 0.1 %, within the limit'],
    [{ candidate: 2.2, passed: false, interval: [0.1, 0.3] }, 'Worse by 10 %'],
    [{ candidate: 2.2, passed: false, interval: [-0.1, 0.5] }, 'Worse by 10 %, though that may be chance'],
    [{ candidate: 2, passed: false }, 'No better than before'],
    [{ check: 'infill similarity', champion: 40, candidate: 38.5 }, '1.5 less than before'],
    [
      { check: 'answers that do not end or repeat', champion: 1, candidate: 5, passed: false },
      '4 more than before, beyond the limit',
    ],
    [
      { check: 'tokens as in training', champion: 'yes', candidate: 'no', passed: false },
      'Not as it must be',
    ],
    [{ check: 'chat template', champion: 'ab', candidate: 'ab' }, 'As it must be'],
  ])('%o is said in words', (check, expected) => expect(words(check)).toBe(expected));

  it('has its interval with signs', () => {
    expect(intervalWords([-0.0213, 0.004])).toBe('−0.0213 to +0.004');
    expect(intervalWords(null)).toBe('–');
  });
});
