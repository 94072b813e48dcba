import { describe, expect, it } from 'vitest';
import { makeMessage } from '@/testing/fixtures';
import { initialStream, reduceStream, type StreamAction, type StreamState } from './stream';

const text = (seq: number, words: string): StreamAction => ({
  type: 'text',
  seq,
  text: words,
  tokens: seq,
  tokens_per_second: 7.2,
});
const snapshot = (seq: number, words: string): StreamAction => ({ type: 'snapshot', seq, text: words });
const begin = (content = '') => initialStream(makeMessage({ status: 'writing', content }));
const play = (actions: StreamAction[], from: StreamState = begin()) => actions.reduce(reduceStream, from);

describe('reduceStream', () => {
  it('puts pieces together in order', () => {
    expect(play([snapshot(0, ''), text(1, 'def '), text(2, 'f():')]).text).toBe('def f():');
  });

  it('doubles nothing when pieces come again after reconnecting', () => {
    const events = [text(1, 'a'), text(2, 'b'), text(1, 'a'), text(2, 'b'), text(3, 'c')];
    expect(play(events).text).toBe('abc');
  });

  it('drops nothing when a snapshot takes the place of what was missed', () => {
    expect(play([text(1, 'a'), snapshot(3, 'abc'), text(3, 'c'), text(4, 'd')]).text).toBe('abcd');
  });

  it('believes a snapshot that is behind, and goes on from there', () => {
    expect(play([text(1, 'a'), text(2, 'b'), snapshot(1, 'a'), text(2, 'b'), text(3, 'c')]).text).toBe('abc');
  });

  it('shows what is stored until the stream speaks, then replaces it', () => {
    const stored = begin('def f');
    expect(stored.text).toBe('def f');
    expect(play([snapshot(8, 'def f():')], stored).text).toBe('def f():');
  });

  it('follows the stages', () => {
    const kinds = [
      { type: 'queued', position: 2, eta_s: 40 } as const,
      { type: 'reading', done: 63, total: 100 } as const,
      text(1, 'a'),
    ].map((_, index, all) => play(all.slice(0, index + 1)).stage.kind);
    expect(kinds).toEqual(['queued', 'reading', 'writing']);
  });

  it('takes the stored message at the end, and nothing after it', () => {
    const message = makeMessage({ content: 'whole', status: 'stopped' });
    const ended = play([text(1, 'who'), { type: 'end', message }]);
    expect(ended).toMatchObject({ text: 'whole', message, stage: { kind: 'ended' } });
    expect(play([text(9, 'late'), { type: 'connection', state: 'waiting' }], ended)).toBe(ended);
  });

  it('keeps text through a lost connection', () => {
    const lost = play([text(1, 'a'), { type: 'connection', state: 'waiting' }]);
    expect(lost).toMatchObject({ text: 'a', connection: 'waiting' });
  });

  it('makes the same text of any cut of a stream into connections', () => {
    const whole = 'The quick brown fox';
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const first = Array.from(whole.slice(0, cut), (letter, index) => text(index + 1, letter));
      const again = Array.from(whole, (letter, index) => text(index + 1, letter)).slice(Math.max(0, cut - 3));
      const resumed = [snapshot(Math.max(0, cut - 3), whole.slice(0, Math.max(0, cut - 3))), ...again];
      expect(play([...first, ...resumed]).text).toBe(whole);
    }
  });
});
