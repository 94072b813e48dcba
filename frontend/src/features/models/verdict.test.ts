import { describe, expect, it } from 'vitest';
import { figuresOf, progressOf, verdictOf } from './verdict';

const VERDICT = {
  passed: true,
  gate_rows: 40,
  checks: [{ check: 'gate NLL', champion: 1.91, candidate: 1.72, threshold: 'below', passed: true }],
};

describe('what a run reports', () => {
  it('is a verdict only when it has the shape of one', () => {
    expect(verdictOf(VERDICT)).toMatchObject({ passed: true, gateRows: 40, checks: [{ candidate: 1.72 }] });
    for (const other of [null, 'x', {}, { passed: 'yes', checks: [] }, { passed: true }]) {
      expect(verdictOf(other)).toBeNull();
    }
  });

  it('has a progress between nothing and everything, whatever it says', () => {
    expect(progressOf({ stage: 'train', fraction: 0.5, eta_s: 90, loss: 1.2 })).toEqual({
      fraction: 0.5,
      etaS: 90,
      figures: [['loss', 1.2]],
    });
    expect([progressOf(null), progressOf({ fraction: 7 })].map(({ fraction }) => fraction)).toEqual([0, 1]);
  });

  it('gives a version its own numbers and those of its checks', () => {
    expect(figuresOf({ loss: 2, verdict: VERDICT })).toEqual([
      ['loss', 2],
      ['gate NLL', 1.72],
    ]);
  });
});
