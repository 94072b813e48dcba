import { describe, expect, it } from 'vitest';
import { lengthHint } from './new-password-field';

describe('the hint of a new password', () => {
  it('grows with what is typed', () => {
    expect([0, 5, 11, 12].map(lengthHint)).toEqual([
      expect.stringContaining('At least 12 characters'),
      '7 more characters to go.',
      '1 more character to go.',
      '12 characters: long enough.',
    ]);
  });
});
