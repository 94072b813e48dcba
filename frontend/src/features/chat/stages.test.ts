import { describe, expect, it } from 'vitest';
import { makeMessage } from '@/testing/fixtures';
import { isRetryable, isUnfinished, outcomeSentence, stageSentence } from './stages';
import { initialStream, type Stage } from './stream';

const sentence = (stage: Stage) =>
  stageSentence({ ...initialStream(makeMessage()), connection: 'open', stage });

describe('the stage line', () => {
  it('is never without words', () => {
    expect(sentence({ kind: 'starting' })).toMatch(/waiting/);
    expect(sentence({ kind: 'queued', position: 2, etaS: 41 })).toBe('Queued, 2 ahead, about 40 s');
    expect(sentence({ kind: 'queued', position: 0, etaS: 1 })).toBe('Queued, next in line, any moment');
    expect(sentence({ kind: 'reading', done: 63, total: 100 })).toBe('Reading the prompt, 63 %');
    expect(sentence({ kind: 'writing', tokens: 9, tokensPerSecond: 7.21 })).toBe('Writing, 7.2 tok/s');
  });

  it('says so while the connection is lost', () => {
    const lost = { ...initialStream(makeMessage()), connection: 'waiting' as const };
    expect(stageSentence(lost)).toMatch(/reconnecting/);
  });
});

describe('the outcome', () => {
  it('explains every end that is not plain', () => {
    expect(outcomeSentence(makeMessage({ status: 'done', finish_reason: 'stop' }))).toBeNull();
    expect(outcomeSentence(makeMessage({ status: 'done', finish_reason: 'length' }))).toMatch(/length limit/);
    expect(outcomeSentence(makeMessage({ status: 'stopped' }))).toMatch(/Stopped/);
    expect(outcomeSentence(makeMessage({ status: 'interrupted' }))).toMatch(/Interrupted/);
    expect(outcomeSentence(makeMessage({ status: 'error', error: 'Out of memory.' }))).toBe('Out of memory.');
  });

  it('offers another try exactly where something is missing', () => {
    expect(isRetryable(makeMessage({ status: 'done' }))).toBe(false);
    expect(isRetryable(makeMessage({ status: 'interrupted' }))).toBe(true);
  });

  it('lets an answer go on exactly where it broke off', () => {
    const can = (changes: Parameters<typeof makeMessage>[0]) =>
      isUnfinished(makeMessage({ content: 'half', ...changes }));
    expect(can({ finish_reason: 'length' })).toBe(true);
    expect(can({ status: 'stopped' })).toBe(true);
    expect(can({ status: 'interrupted' })).toBe(true);
    expect(can({ finish_reason: 'stop' })).toBe(false);
    expect(can({ status: 'stopped', content: '' })).toBe(false);
    expect(can({ status: 'writing' })).toBe(false);
  });
});
