import { describe, expect, it } from 'vitest';
import { pieces } from './pieces';

const found = (text: string, ranges: [number, number][]) =>
  pieces(text, ranges).map((piece) => (piece.found ? `[${piece.text}]` : piece.text));

describe('pieces', () => {
  it('cuts a text at what was found', () => {
    expect(
      found('sort a list', [
        [0, 4],
        [7, 11],
      ]),
    ).toEqual(['[sort]', ' a ', '[list]']);
    expect(found('nothing', [])).toEqual(['nothing']);
    expect(found('', [])).toEqual([]);
  });

  it('counts code points, not UTF-16 units', () => {
    expect(found('🦙🦙 sort', [[3, 7]])).toEqual(['🦙🦙 ', '[sort]']);
  });

  it('loses and doubles nothing, whatever the ranges', () => {
    for (const ranges of [
      [[2, 99]],
      [
        [0, 3],
        [1, 4],
      ],
      [[4, 2]],
      [[90, 99]],
    ] as [number, number][][]) {
      expect(
        pieces('abcdef', ranges)
          .map(({ text }) => text)
          .join(''),
      ).toBe('abcdef');
    }
  });
});
