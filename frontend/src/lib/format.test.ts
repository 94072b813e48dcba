import { describe, expect, it } from 'vitest';
import {
  dayGroup,
  formatBytes,
  formatEta,
  formatFigure,
  formatRate,
  formatSeconds,
  humanize,
  percent,
} from './format';

describe('format', () => {
  it.each([
    [0.001, '< 0.01 s'],
    [0.42, '0.42 s'],
    [7.34, '7.3 s'],
    [48.2, '48 s'],
    [200, '3 min 20 s'],
    [120, '2 min'],
    [7500, '2 h 5 min'],
  ])('%s seconds are %s', (seconds, words) => expect(formatSeconds(seconds)).toBe(words));

  it.each([
    [0.4, 'any moment'],
    [7.2, 'about 7 s'],
    [41.7, 'about 40 s'],
    [170, 'about 3 min'],
    [9000, 'about 2.5 h'],
  ])('an estimate of %s seconds is %s', (seconds, words) => expect(formatEta(seconds)).toBe(words));

  it('gives slow rates a decimal and fast ones none', () => {
    expect(formatRate(7.24)).toBe('7.2 tok/s');
    expect(formatRate(212.4)).toBe('212 tok/s');
  });

  it('counts percent without leaving 0 to 100', () => {
    expect([percent(63, 100), percent(5, 0), percent(9, 3)]).toEqual([63, 0, 100]);
  });

  it('names sizes in decimal units', () => {
    expect([formatBytes(512), formatBytes(6_700_000), formatBytes(4_080_000_000)]).toEqual([
      '512 B',
      '6.7 MB',
      '4.1 GB',
    ]);
  });

  it('shows any figure, whatever it turns out to be', () => {
    expect([1.234567, true, null, 'same', { a: 1 }].map(formatFigure)).toEqual([
      '1.235',
      'yes',
      '–',
      'same',
      '{"a":1}',
    ]);
  });

  it('groups days by the calendar, not by hours', () => {
    const now = new Date(2026, 10, 21, 0, 30);
    const at = (day: number, hour: number) => new Date(2026, 10, day, hour).toISOString();
    expect([at(21, 0), at(20, 23), at(18, 12), at(1, 12)].map((iso) => dayGroup(iso, now))).toEqual([
      'Today',
      'Yesterday',
      'Last 7 days',
      'Last 30 days',
    ]);
    expect(dayGroup('2025-01-01T00:00:00Z', now)).toBe('Earlier');
  });

  it('makes words of names', () => expect(humanize('nothing_to_do')).toBe('Nothing to do'));
});
