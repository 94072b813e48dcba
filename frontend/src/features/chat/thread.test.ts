import { describe, expect, it } from 'vitest';
import { makeMessage, makeThread } from '@/testing/fixtures';
import {
  familiesOf,
  isActive,
  joined,
  type Loaded,
  merged,
  onBranch,
  threadOf,
  withMessages,
} from './thread';

const message = (id: string, parent: string | null, author: 'user' | 'assistant' | 'system' = 'user') =>
  makeMessage({ id, parent_id: parent, author });
const ids = (messages: { id: string }[]) => messages.map(({ id }) => id);

/** A chain of messages from one number to another, each the parent of the next. */
const chain = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) =>
    message(`m${from + index}`, from + index === 0 ? null : `m${from + index - 1}`),
  );
const loaded = (messages: ReturnType<typeof chain>, changes: Partial<Loaded> = {}): Loaded => ({
  ...makeThread(messages, changes),
  anchor: null,
  ...changes,
});

describe('threadOf', () => {
  it('is the branch, whatever else is loaded', () => {
    const messages = [message('q1', null), message('a1', 'q1'), message('q2', 'a1'), message('q2b', 'a1')];
    expect(ids(threadOf({ messages, branch: ['q1', 'a1', 'q2b'] }))).toEqual(['q1', 'a1', 'q2b']);
  });

  it('leaves out system messages and what is not loaded', () => {
    const messages = [message('s', null, 'system'), message('q', 's')];
    expect(ids(threadOf({ messages, branch: ['s', 'q', 'gone'] }))).toEqual(['q']);
  });
});

describe('joined', () => {
  it('puts the page before in front, once', () => {
    const end = loaded(chain(4, 6), { earlier: true });
    const page = makeThread(chain(1, 3), { earlier: true, later: true });
    const both = joined(end, page);
    expect(both.branch).toEqual(ids(chain(1, 6)));
    expect(both).toMatchObject({ earlier: true, later: false });
    expect(joined(both, makeThread(chain(0, 0), { later: true }))).toMatchObject({
      branch: ids(chain(0, 6)),
      earlier: false,
      later: false,
    });
  });

  it('keeps earlier pages when the end comes again, longer', () => {
    const all = loaded(chain(0, 6));
    const again = makeThread(chain(5, 8), { earlier: true });
    expect(joined(all, again)).toMatchObject({ branch: ids(chain(0, 8)), earlier: false, later: false });
  });

  it('keeps what follows a part that comes again', () => {
    const all = loaded(chain(0, 8));
    const part = makeThread(chain(2, 4), { earlier: true, later: true });
    expect(joined(all, part)).toMatchObject({ branch: ids(chain(0, 8)), earlier: false, later: false });
  });

  it('puts the page after at the end', () => {
    const middle = loaded(chain(2, 4), { earlier: true, later: true });
    const after = makeThread(chain(5, 6), { earlier: true });
    expect(joined(middle, after)).toMatchObject({ branch: ids(chain(2, 6)), earlier: true, later: false });
  });

  it('follows another branch from where it leaves this one', () => {
    const all = loaded(chain(0, 4));
    const other = makeThread([message('x2', 'm1'), message('x3', 'x2')], { earlier: true });
    expect(joined(all, other).branch).toEqual(['m0', 'm1', 'x2', 'x3']);
  });

  it('begins anew where the page does not touch what is loaded', () => {
    const far = makeThread(chain(10, 12), { earlier: true });
    expect(joined(loaded(chain(0, 4)), far)).toMatchObject({ branch: ids(chain(10, 12)), earlier: true });
  });

  it('knows that nothing comes before when a page before is empty', () => {
    const result = joined(loaded(chain(0, 2), { earlier: true }), makeThread([], { later: true }));
    expect(result).toMatchObject({ branch: ids(chain(0, 2)), earlier: false });
  });
});

describe('withMessages', () => {
  it('shows a question and its answer at the end, and follows the newest again', () => {
    const result = withMessages(loaded(chain(0, 1), { anchor: 'm1' }), chain(2, 3));
    expect(result).toMatchObject({ branch: ids(chain(0, 3)), anchor: null });
  });

  it('shows another answer in the place of the first', () => {
    const result = withMessages(loaded(chain(0, 3)), [message('m0', null), message('other', 'm0')]);
    expect(result.branch).toEqual(['m0', 'other']);
    expect(ids(result.messages)).toContain('m1');
  });

  it('changes nothing but the message when it is known', () => {
    const old = loaded(chain(0, 3), { anchor: 'm1' });
    const result = withMessages(old, [{ ...message('m1', 'm0'), content: 'new' }]);
    expect(result).toMatchObject({ branch: old.branch, anchor: 'm1' });
    expect(result.messages[1]?.content).toBe('new');
  });
});

describe('branches', () => {
  it('count those beside a message, by age', () => {
    const older = makeMessage({ id: 'a', parent_id: 'q', created_at: '2026-11-21T09:00:00Z' });
    const newer = makeMessage({ id: 'b', parent_id: 'q', created_at: '2026-11-21T10:00:00Z' });
    const families = familiesOf([newer, message('q', null), older]);
    expect(families.get('b')).toEqual(['a', 'b']);
    expect(families.get('q')).toBeUndefined();
  });

  it('are followed to their newest end', () => {
    const tree = [...chain(0, 2), message('x1', 'm0'), message('x2', 'x1'), message('x2b', 'x1')];
    const there = loaded(tree, { branch: ids(chain(0, 2)) });
    expect(onBranch(there, 'x1')).toMatchObject({ branch: ['m0', 'x1', 'x2b'], anchor: 'x1' });
    expect(onBranch(onBranch(there, 'x1'), 'm1').branch).toEqual(ids(chain(0, 2)));
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
