import { describe, expect, it } from 'vitest';
import { conversationsIn, portionsOf } from './import-file';

const EXPORT = { format: 'codellama-conversations', version: 1, conversations: [{ title: 'One' }] };

describe('a file to import', () => {
  it('is an export of conversations, or of all data', () => {
    expect(conversationsIn(JSON.stringify(EXPORT))).toEqual([{ title: 'One' }]);
    expect(conversationsIn(JSON.stringify({ account: {}, conversations: EXPORT }))).toEqual([
      { title: 'One' },
    ]);
  });

  it.each(['', '{', '[]', 'null', '{"conversations": []}', '{"format": "codellama-conversations"}'])(
    'is not %s',
    (text) => {
      expect(() => conversationsIn(text)).toThrow('no export of ours');
    },
  );

  it('of a newer version is not guessed at', () => {
    expect(() => conversationsIn(JSON.stringify({ ...EXPORT, version: 2 }))).toThrow('newer version');
  });

  it('goes in portions that keep the order, a very large conversation alone', () => {
    const small = Array.from({ length: 401 }, (_, number) => ({ title: `${number}` }));
    expect(portionsOf(small).map((portion) => portion.length)).toEqual([200, 200, 1]);
    expect(portionsOf(small).flat()).toEqual(small);
    const large = { title: 'x'.repeat(5_000_000) };
    expect(portionsOf([{ title: 'a' }, large, { title: 'b' }]).map((portion) => portion.length)).toEqual([
      1, 1, 1,
    ]);
    expect(portionsOf([])).toEqual([]);
  });
});
