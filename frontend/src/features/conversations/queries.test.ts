import { describe, expect, it } from 'vitest';
import { makeConversation } from '@/testing/fixtures';
import { groupByDay } from './queries';

describe('groupByDay', () => {
  it('keeps the order and makes one group a day', () => {
    const at = (id: string, iso: string) => makeConversation({ id, updated_at: iso });
    const now = new Date('2026-11-21T12:00:00');
    const groups = groupByDay(
      [at('a', '2026-11-21T11:00:00'), at('b', '2026-11-21T01:00:00'), at('c', '2026-11-20T23:00:00')],
      now,
    );
    expect(groups.map(({ name, conversations }) => [name, conversations.map(({ id }) => id)])).toEqual([
      ['Today', ['a', 'b']],
      ['Yesterday', ['c']],
    ]);
  });
});
