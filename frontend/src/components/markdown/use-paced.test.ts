import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { usePaced } from './use-paced';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Shows a text; while it is rendered the clock goes on by `costMs`. */
function show(costMs: number) {
  let rendered = '';
  let clock = 0;
  const tick = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => tick() + clock);
  const view = renderHook(
    ({ text, growing }) => {
      const shown = usePaced(text, growing);
      if (shown !== rendered) clock += costMs;
      rendered = shown;
      return shown;
    },
    { initialProps: { text: '', growing: true } },
  );
  const pass = (milliseconds: number) => act(() => vi.advanceTimersByTime(milliseconds));
  const set = (text: string, growing = true) => view.rerender({ text, growing });
  return { shown: () => view.result.current, set, pass };
}

it('shows what comes at once while that is cheap', () => {
  const { shown, set, pass } = show(0);
  for (const text of ['a', 'ab', 'abc']) {
    set(text);
    pass(1);
    expect(shown()).toBe(text);
  }
});

it('leaves the page three times as long alone as the last text took, then shows the newest', () => {
  const { shown, set, pass } = show(100);
  set('a');
  pass(1);
  expect(shown()).toBe('a');
  set('ab');
  pass(250);
  set('abc');
  expect(shown()).toBe('a');
  pass(100);
  expect(shown()).toBe('abc');
});

it('shows a text that no longer grows at once', () => {
  const { shown, set, pass } = show(100);
  set('a');
  pass(1);
  set('ab', false);
  expect(shown()).toBe('ab');
});
