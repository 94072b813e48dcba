import { describe, expect, it } from 'vitest';
import { makeMessage } from '@/testing/fixtures';
import { isActive, merged, threadOf } from './thread';

const message = (id: string, parent: string | null, author: 'user' | 'assistant' | 'system' = 'user') =>
  makeMessage({ id, parent_id: parent, author });
const ids = (messages: { id: string }[]) => messages.map(({ id }) => id);

describe('threadOf', () => {
  it('is the branch that ends in the newest message', () => {
    const messages = [message('q1', null), message('a1', 'q1'), message('q2', 'a1'), message('q2b', 'a1')];
    expect(ids(threadOf(messages))).toEqual(['q1', 'a1', 'q2b']);
  });

  it('is empty without messages, and ends where a parent is missing', () => {
    expect(threadOf([])).toEqual([]);
    expect(ids(threadOf([message('a1', 'gone')]))).toEqual(['a1']);
  });

  it('leaves system messages out and survives a circle', () => {
    expect(ids(threadOf([message('s', null, 'system'), message('q', 's')]))).toEqual(['q']);
    expect(ids(threadOf([message('x', 'y'), message('y', 'x')]))).toEqual(['x', 'y']);
  });
});

describe('merged', () => {
  it('replaces in place and appends what is new', () => {
    const old = [message('a', null), message('b', 'a')];
    const result = merged(old, [{ ...message('a', null), content: 'new' }, message('c', 'b')]);
    expect(ids(result)).toEqual(['a', 'b', 'c']);
    expect(result[0]?.content).toBe('new');
    expect(result[1]).toBe(old[1]);
  });
});

describe('isActive', () => {
  it('holds for answers on their way only', () => {
    const active = (
      ['queued', 'reading', 'writing', 'done', 'stopped', 'interrupted', 'error'] as const
    ).filter((status) => isActive(makeMessage({ status })));
    expect(active).toEqual(['queued', 'reading', 'writing']);
    expect(isActive(makeMessage({ author: 'user', status: 'queued' }))).toBe(false);
  });
});
