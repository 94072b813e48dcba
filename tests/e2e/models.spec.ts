import type { Page } from '@playwright/test';
import { ask, axeFindings, composer, expect, stored, test, untilFinished } from './fixtures';

const PROMPT = 'Write a Python function that reverses a string.';

interface Served {
  champion: string;
  challenger: string;
}

/** Has some other version served beside the champion, and says what both are called. */
async function challenge(page: Page): Promise<Served> {
  const versions = (await (await page.request.get('/api/models')).json()) as Models;
  const other = versions.items.find(({ id, state }) => id !== versions.champion && state === 'available');
  const headers = { Origin: new URL(page.url()).origin };
  const made = await page.request.post(`/api/models/${other?.id}/challenge`, { headers });
  expect(made.ok(), await made.text()).toBe(true);
  const names = async () => {
    const { items } = (await (await page.request.get('/api/models/served')).json()) as Named;
    return items.map(({ name }) => name);
  };
  await expect.poll(async () => (await names()).length, { timeout: 60_000 }).toBe(2);
  const [champion = '', challenger = ''] = await names();
  return { champion, challenger };
}

interface Named {
  items: { name: string }[];
}

interface Models {
  champion: string | null;
  items: { id: string; state: string }[];
}

const settings = (page: Page) => page.getByRole('button', { name: /^Settings of this chat/ });
const picker = (page: Page) => page.getByRole('button', { name: /^Model:/ });
const sides = (page: Page) => page.getByTestId('side');
const ballot = (page: Page) => page.getByRole('group', { name: 'Which answer is better?' });

/** Answers of a few tokens are enough here. */
async function keepShort(page: Page, tokens: number): Promise<void> {
  await settings(page).click();
  await page.getByRole('spinbutton', { name: 'Length limit' }).fill(String(tokens));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

async function compare(page: Page): Promise<void> {
  await composer(page).fill(PROMPT);
  await page.getByRole('button', { name: 'Compare two models', exact: true }).click();
  await expect(sides(page)).toHaveCount(2);
}

test('settings chosen before the first message are honoured, and stay', async ({ page }) => {
  await page.goto('/');
  await settings(page).click();
  await page.getByRole('textbox', { name: 'System prompt' }).fill('Answer with code only.');
  await page.getByRole('spinbutton', { name: 'Length limit' }).fill('3');
  expect(await axeFindings(page)).toEqual([]);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await ask(page, PROMPT);
  await untilFinished(page);
  await expect(page.getByTestId('outcome')).toContainText('Cut off at the length limit');
  await expect(page.getByTestId('figures')).toContainText('3 tokens');
  await page.reload();
  await expect(settings(page)).toContainText('Own system prompt');
  await settings(page).click();
  await page.getByRole('button', { name: 'Reset to defaults' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(settings(page)).not.toContainText('Own system prompt');
});

test('the model that is picked answers, in this conversation only', async ({ page }) => {
  await page.goto('/');
  const { champion, challenger } = await challenge(page);
  await page.reload();
  await keepShort(page, 3);
  await picker(page).click();
  await page.getByRole('menuitemradio', { name: new RegExp(challenger) }).click();
  await expect(picker(page)).toHaveText(challenger);
  expect(await axeFindings(page)).toEqual([]);
  await ask(page, PROMPT);
  await untilFinished(page);
  await expect(page.getByTestId('figures')).toContainText(challenger);
  await page.reload();
  await expect(picker(page)).toHaveText(challenger);
  await page.goto('/');
  await expect(picker(page)).toHaveText(champion);
});

test('two models are compared blind: names come with the vote, and the winner goes on', async ({ page }) => {
  await page.goto('/');
  const { challenger } = await challenge(page);
  await page.reload();
  await keepShort(page, 12);
  await compare(page);
  await page.waitForURL(/\/c\//);
  await page.reload();
  await expect(ballot(page)).toBeVisible({
    timeout: 120_000,
  });
  expect(await axeFindings(page)).toEqual([]);
  await expect(sides(page).filter({ hasText: challenger })).toHaveCount(0);
  const hidden = await stored(page);
  // In quotes, as a value: the name alone may be part of a field's name.
  expect(JSON.stringify(hidden)).not.toContain(JSON.stringify(challenger));
  const [, left] = hidden;
  await page.getByRole('button', { name: 'Left is better' }).click();
  const verdict = page.getByTestId('verdict');
  await expect(verdict).toContainText('you preferred');
  await expect(verdict).toContainText(challenger);
  await ask(page, 'Now without slices.');
  await expect(page.getByTestId('answer')).toHaveCount(2);
  await untilFinished(page);
  const question = (await stored(page)).find(({ content }) => content === 'Now without slices.');
  expect(question).toMatchObject({ parent_id: left?.id });
  await page.goto('/admin/comparisons');
  await expect(page.getByRole('row', { name: new RegExp(challenger) })).toBeVisible();
  expect(await axeFindings(page)).toEqual([]);
});

/** Begins a comparison and stops it; false when both answers had ended before. */
async function stoppedInTime(page: Page): Promise<boolean> {
  await page.goto('/');
  await compare(page);
  const stop = page.getByRole('button', { name: 'Stop' });
  await stop.press('Enter', { timeout: 5_000 }).catch(() => undefined);
  const again = page.getByRole('button', { name: 'Run what is missing' });
  await expect(again.or(ballot(page))).toBeVisible({ timeout: 120_000 });
  return again.isVisible();
}

test('a comparison that is stopped is run again, or ended without a vote', async ({ page }) => {
  await page.goto('/');
  const { challenger } = await challenge(page);
  await expect.poll(() => stoppedInTime(page), { timeout: 200_000 }).toBe(true);
  await page.getByRole('button', { name: 'Run what is missing' }).click();
  await expect(ballot(page)).toBeVisible({ timeout: 120_000 });
  await page.getByRole('button', { name: 'End without a vote' }).click();
  await expect(page.getByTestId('verdict')).toContainText(challenger);
  await composer(page).fill('And now?');
  await expect(page.getByRole('button', { name: 'Send', exact: true })).toBeEnabled();
});

test.afterAll(async ({ browser, session, baseURL }) => {
  const context = await browser.newContext({ storageState: session, baseURL });
  await context.request.delete('/api/models/challenger', { headers: { Origin: baseURL ?? '' } });
  await context.close();
});
