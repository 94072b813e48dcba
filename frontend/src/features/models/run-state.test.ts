import { describe, expect, it } from 'vitest';
import { makeRun } from '@/testing/fixtures';
import { adviceFor } from './run-state';

const check = { champion: 4, candidate: 0, threshold: 'at least 2 of 50' };

describe('advice for a run that the gate refused', () => {
  it('names the checks that failed, and no other', () => {
    const checks = [
      { ...check, check: 'gate NLL', passed: true },
      { ...check, check: 'tasks solved', passed: false },
    ];
    const run = makeRun({ state: 'rejected', verdict: { passed: false, checks } });
    expect(adviceFor(run)?.text).toMatch(
      /^The gate refused the new version \(tasks solved\), so nothing changed/,
    );
  });

  it('does without their names where there are none', () => {
    expect(adviceFor(makeRun({ state: 'rejected', verdict: null }))?.text).toMatch(
      /^The gate refused the new version, so/,
    );
  });
});
