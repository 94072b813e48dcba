import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { composer, expect, lastAnswer, test } from './fixtures';
import { takeIn } from './history';

const ANSWER = 'Slices have a step:\n\n```python\ntext[::-1]\n```\n';

async function open(page: Page, title: string): Promise<string> {
  await page.goto('/');
  const id = await takeIn(page, [{ question: 'Reverse a string', answer: ANSWER }], title);
  await page.goto(`/c/${id}`);
  await expect(lastAnswer(page)).toBeVisible();
  return id;
}

interface Kept {
  feedback: { rating: number; tags: string[]; comment: string } | null;
  copied_at: string | null;
}

/** The answer of a conversation as its export has it. */
async function keptAnswer(page: Page, id: string): Promise<Kept | undefined> {
  const response = await page.request.get(`/api/conversations/${id}/export`);
  return ((await response.json()) as { conversations: { messages: Kept[] }[] }).conversations[0]?.messages.at(
    -1,
  );
}

test('a rating is stored at once, and what is said of it comes back after a reload', async ({ page }) => {
  const id = await open(page, 'To rate');
  await page.getByRole('button', { name: 'Bad answer' }).click();
  await expect.poll(async () => (await keptAnswer(page, id))?.feedback?.rating).toBe(-1);
  await expect(page.getByRole('checkbox', { name: 'Wrong' })).toBeFocused();
  await page.keyboard.press('Space');
  await page.getByText('Incomplete', { exact: true }).click();
  await page.getByRole('textbox', { name: 'Comment' }).fill('It does not say why.');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Wrong +1' })).toBeFocused();

  await page.reload();
  await page.getByRole('button', { name: 'Wrong +1' }).click();
  await expect(page.getByRole('checkbox', { name: 'Incomplete' })).toBeChecked();
  await expect(page.getByRole('textbox', { name: 'Comment' })).toHaveValue('It does not say why.');

  await page.getByRole('button', { name: 'Bad answer' }).click();
  await expect.poll(async () => (await keptAnswer(page, id))?.feedback).toBeNull();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('button', { name: 'Wrong +1' })).toBeVisible();
});

test('that code was copied is kept', async ({ page }) => {
  const id = await open(page, 'To copy');
  expect((await keptAnswer(page, id))?.copied_at).toBeNull();
  await page.getByRole('button', { name: 'Copy code' }).click();
  await expect.poll(async () => (await keptAnswer(page, id))?.copied_at).not.toBeNull();
});

test('a question becomes a prompt, which / puts into the next message', async ({ page }) => {
  await open(page, 'To keep');
  await page.getByRole('article', { name: 'You' }).hover();
  await page.getByRole('button', { name: 'Save as prompt' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Backwards');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('“Backwards” is kept among your prompts.')).toBeVisible();

  await page.goto('/');
  await composer(page).press('/');
  await page.getByRole('combobox', { name: 'Search your prompts' }).fill('backw');
  await expect(page.getByRole('option', { name: /^Backwards/ })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(composer(page)).toHaveValue('Reverse a string');
  await expect(composer(page)).toBeFocused();

  await page.goto('/prompts');
  await page.getByRole('button', { name: 'Delete Backwards' }).click();
  await expect(page.getByRole('button', { name: 'Use Backwards' })).toHaveCount(0);
});

test('what is exported is imported again, and a file that is none is explained', async ({ page }) => {
  await open(page, 'Out and in');
  await page.goto('/settings');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export conversations' }).click();
  const file = await (await download).path();
  const { conversations } = JSON.parse(await readFile(file, 'utf8')) as {
    conversations: { title: string; messages: unknown[] }[];
  };
  const messages = conversations.reduce((count, each) => count + each.messages.length, 0);

  await page.getByLabel('File to import').setInputFiles(file);
  const nouns = [`${conversations.length} conversation`, `${messages} message`];
  await expect(page.getByText(new RegExp(`^${nouns[0]}s?, ${nouns[1]}s? imported\\.$`))).toBeVisible();
  await expect(page.getByRole('link', { name: 'Out and in' })).toHaveCount(2);

  const none = { name: 'notes.json', mimeType: 'application/json', buffer: Buffer.from('{"notes": []}') };
  await page.getByLabel('File to import').setInputFiles(none);
  await expect(page.getByRole('alert')).toContainText('This is no export of ours.');
});

test('the palette leads to the prompts and to one’s data', async ({ page }) => {
  await page.goto('/');
  await expect(composer(page)).toBeVisible();
  for (const [words, heading] of [
    ['saved prompts', 'Prompts'],
    ['export', 'Settings'],
  ] as const) {
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search chats and actions' }).fill(words);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { name: heading, level: 1 })).toBeVisible();
  }
});
