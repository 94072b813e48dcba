import type { Page } from '@playwright/test';
import { ask, expect, lastAnswer, test, untilFinished } from './fixtures';
import { takeIn } from './history';
import { settled } from './routes';

/** What Web Vitals calls good is 0.1; an answer that streams in should move nothing that is being read. */
const ALLOWED = 0.02;

const TURN = { question: 'Reverse a string', answer: 'Use a slice:\n\n```python\ntext[::-1]\n```\n' };

declare global {
  interface Window {
    shifts: { value: number; moved: string[] }[];
  }
}

async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & {
        value: number;
        hadRecentInput: boolean;
        sources: { node: Node | null }[];
      })[]) {
        if (entry.hadRecentInput) continue;
        const moved = entry.sources.map(
          ({ node }) => (node as HTMLElement | null)?.outerHTML?.slice(0, 120) ?? '',
        );
        window.shifts.push({ value: entry.value, moved });
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
}

/** What opening the conversation and sending have moved is not what streaming moves. */
async function forgetShifts(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    window.shifts = [];
  });
}

async function expectNoJump(page: Page): Promise<void> {
  const shifts = await page.evaluate(() => window.shifts);
  const sum = shifts.reduce((total, { value }) => total + value, 0);
  expect(sum, JSON.stringify(shifts, null, 1)).toBeLessThanOrEqual(ALLOWED);
}

for (const [name, viewport] of Object.entries({
  'a desk': { width: 1280, height: 800 },
  'a phone': { width: 360, height: 740 },
})) {
  test(`nothing jumps on ${name} while an answer streams in`, async ({ page }) => {
    await page.setViewportSize(viewport);
    await watchShifts(page);
    await page.goto('/');
    const id = await takeIn(page, [TURN, TURN, TURN]);
    await page.goto(`/c/${id}`);
    await expect(lastAnswer(page)).toBeVisible();
    await ask(page, 'Write a Python function that reverses a string.');
    await expect(page.getByTestId('answer')).toHaveCount(4);
    await expect(lastAnswer(page).locator('[data-stage=writing], [data-testid=figures]')).toBeVisible();
    await forgetShifts(page);
    await untilFinished(page);
    await expect(lastAnswer(page).getByTestId('figures')).toBeVisible();
    await expectNoJump(page);
  });

  test(`nothing jumps on ${name} while a conversation opens`, async ({ page }) => {
    await page.setViewportSize(viewport);
    await watchShifts(page);
    await page.goto('/');
    const id = await takeIn(page, [TURN, TURN, TURN]);
    for (const _ of ['first', 'from the cache of the browser']) {
      await page.goto(`/c/${id}`);
      await expect(lastAnswer(page)).toBeVisible();
      await settled(page);
      await expectNoJump(page);
    }
  });
}
