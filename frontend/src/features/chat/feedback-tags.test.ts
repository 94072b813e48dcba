import { describe, expect, it } from 'vitest';
import { rated, summaryOf, tagsFor } from './feedback-tags';

const said = { rating: -1 as const, tags: ['wrong', 'from_a_script'], comment: 'No.', correction: null };

describe('what is said of an answer', () => {
  it('keeps what holds for either rating when the rating changes', () => {
    expect(rated(said, 1)).toEqual({ rating: 1, tags: ['from_a_script'] });
    expect(rated(said, -1)).toEqual({ rating: -1, tags: ['wrong', 'from_a_script'] });
    expect(rated(null, 1)).toEqual({ rating: 1, tags: [] });
  });

  it('offers tags that came by other means, in words', () => {
    expect(tagsFor(-1, said.tags).at(-1)).toEqual(['from_a_script', 'From a script']);
  });

  it('is short', () => {
    expect(summaryOf(said)).toBe('Wrong +1');
    expect(summaryOf({ ...said, tags: ['too_long'] })).toBe('Too long');
    expect(summaryOf({ ...said, tags: [] })).toBe('Commented');
    expect(summaryOf({ ...said, tags: [], comment: null })).toBeNull();
  });
});
