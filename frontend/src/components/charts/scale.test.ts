import { describe, expect, it } from 'vitest';
import { axisOf, scaleOf, spread } from './scale';

describe('an axis', () => {
  it('ends on round numbers around all values', () => {
    expect(axisOf([1.23, 3.4]).ticks).toEqual([1, 2, 3, 4]);
    expect(axisOf([0.021, 0.024]).ticks).toEqual([0.021, 0.022, 0.023, 0.024]);
  });

  it('begins at nothing where it counts', () => {
    expect(axisOf([730, 12], { zero: true }).ticks).toEqual([0, 200, 400, 600, 800]);
  });

  it('is one also for a single value, for zeros and for nothing', () => {
    for (const axis of [axisOf([2]), axisOf([0, 0], { zero: true }), axisOf([])]) {
      expect(axis.max).toBeGreaterThan(axis.min);
      expect(axis.ticks.length).toBeLessThan(8);
    }
  });
});

describe('a scale', () => {
  it('puts the ends where they belong', () => {
    const scale = scaleOf({ min: 2, max: 4 }, 100, 0);
    expect([2, 3, 4].map(scale)).toEqual([100, 50, 0]);
  });

  it('labels a few of many, the newest always', () => {
    expect(spread(30, 4)).toEqual([5, 13, 21, 29]);
    expect(spread(3, 6)).toEqual([0, 1, 2]);
  });
});
