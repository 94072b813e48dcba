import type { Page } from '@playwright/test';
import { codeOf, isBeingMade, lastAnswer, shownCode, storedAnswer, untilFinished } from '../fixtures';
import { begin, endAll, expect, test } from '../servers';

/** Collects what the page shows until there are enough different steps, or the answer has ended. */
async function stepsOf(page: Page, enough: number): Promise<Set<string>> {
  const steps = new Set<string>();
  while (steps.size < enough && (await isBeingMade(page))) steps.add(await shownCode(page));
  expect(steps.size).toBe(enough);
  return steps;
}

function expectBeginnings(steps: Iterable<string>, whole: string): void {
  for (const step of steps)
    expect(whole.startsWith(step), `${step}\nis no beginning of\n${whole}`).toBe(true);
}

test('an answer appears in several steps, and each is a beginning of what is stored', async ({ page }) => {
  await begin(page);
  const steps = await stepsOf(page, 5);
  await endAll(page);
  expectBeginnings(steps, codeOf((await storedAnswer(page)).content));
});

test('the stage line says that the answer is being written, then gives way to its figures', async ({
  page,
}) => {
  await begin(page);
  await expect(page.getByTestId('stage')).toContainText(/Writing.*tok\/s/);
  await endAll(page);
  await expect(page.getByTestId('stage')).toHaveCount(0);
  await expect(page.getByTestId('figures')).toContainText(/tokens.*first token.*total.*tok\/s/);
});

test('a reload in the middle goes on, and nothing is lost or doubled', async ({ page }) => {
  await begin(page);
  const before = await shownCode(page);
  await page.reload();
  await expect(lastAnswer(page)).toBeVisible();
  const steps = new Set([before, ...(await stepsOf(page, 4))]);
  await endAll(page);
  const whole = codeOf((await storedAnswer(page)).content);
  expectBeginnings(steps, whole);
  await expect.poll(() => shownCode(page)).toBe(whole);
});

test('a stopped answer stays stopped after a reload', async ({ page }) => {
  await begin(page);
  await page.getByRole('button', { name: 'Stop' }).press('Enter');
  await untilFinished(page);
  await expect(page.getByTestId('outcome')).toContainText('Stopped');
  const { status, content } = await storedAnswer(page);
  expect(status).toBe('stopped');
  await page.reload();
  await expect(page.getByTestId('outcome')).toContainText('Stopped');
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
  await expect.poll(() => shownCode(page)).toBe(codeOf(content));
  expect((await storedAnswer(page)).content).toBe(content);
});

test('two viewers see the same answer grow', async ({ page, context }) => {
  await begin(page);
  const second = await context.newPage();
  await second.goto(page.url());
  await expect(lastAnswer(second)).toBeVisible();
  await stepsOf(second, 3);
  await endAll(page);
  await untilFinished(second);
  expect(await shownCode(second)).toBe(await shownCode(page));
});
