import type { Page } from '@playwright/test';
import { ask, axeFindings, composer, expect, stored, storedAnswer, test, untilFinished } from './fixtures';

const CODE = 'def add(a, b):\n    return a - b\n';
const file = (name: string, content: string | Buffer) => ({
  name,
  mimeType: 'text/plain',
  buffer: Buffer.from(content),
});

const chips = (page: Page) => page.getByRole('list', { name: 'Attached files' });
const gauge = (page: Page) => page.getByTestId('gauge');

async function attach(page: Page, ...files: ReturnType<typeof file>[]): Promise<void> {
  await page.getByLabel('Files to attach').setInputFiles(files);
}

test('a file is attached, read, sent, and there after a reload', async ({ page }) => {
  await page.goto('/');
  await attach(page, file('add.py', CODE), file('notes.md', '# Notes\n'));
  await expect(chips(page).getByRole('listitem')).toHaveCount(2);
  await page.getByRole('button', { name: 'Remove notes.md' }).click();
  await expect(chips(page).getByRole('listitem')).toHaveCount(1);
  await composer(page).fill('What is wrong in this function?');
  await page.reload();
  await expect(composer(page)).toHaveValue('What is wrong in this function?');
  await chips(page)
    .getByRole('button', { name: /^add\.py/ })
    .click();
  await expect(page.getByRole('dialog')).toContainText('return a - b');
  expect(await axeFindings(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await composer(page).press('Enter');
  await untilFinished(page);
  const question = page.getByRole('article', { name: 'You' });
  await expect(question.getByRole('button', { name: /^add\.py/ })).toBeVisible();
  await expect(chips(page)).toHaveCount(1);
  await page.reload();
  await question.getByRole('button', { name: /^add\.py/ }).click();
  await expect(page.getByRole('dialog')).toContainText('return a - b');
});

test('the gauge is right about what the answer then costs', async ({ page }) => {
  await page.goto('/');
  await attach(page, file('add.py', CODE));
  const asked = page.waitForResponse((response) =>
    Boolean(response.request().postData()?.includes('What is wrong in this function?')),
  );
  await composer(page).fill('What is wrong in this function?');
  const { prompt } = (await (await asked).json()) as { prompt: { tokens: number } };
  const foreseen = prompt.tokens;
  await expect(gauge(page)).toContainText(`${foreseen} of `);
  await expect(gauge(page)).toContainText('first word');
  await composer(page).press('Enter');
  await untilFinished(page);
  const answer = (await storedAnswer(page)) as unknown as { prompt_tokens: number };
  expect(answer.prompt_tokens).toBe(foreseen);
});

test('a file that is dropped on the composer is attached', async ({ page }) => {
  await page.goto('/');
  const data = await page.evaluateHandle((content) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([content], 'dropped.py'));
    return transfer;
  }, CODE);
  await composer(page).dispatchEvent('drop', { dataTransfer: data });
  await expect(chips(page)).toContainText('dropped.py');
});

test('a binary file and one of 50 MB are refused before they leave the browser', async ({ page }) => {
  const sent: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') sent.push(request.url());
  });
  await page.goto('/');
  await attach(page, file('a.out', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2])));
  await expect(page.getByRole('alert')).toContainText('a.out is no text');
  const huge = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(50_000_000)], 'core.log'));
    return transfer;
  });
  await composer(page).dispatchEvent('drop', { dataTransfer: huge });
  await expect(page.getByRole('alert')).toContainText('core.log has 50.0 MB, and a file may have 256.0 kB');
  await expect(chips(page)).toHaveCount(0);
  expect(sent).toEqual([]);
});

test('what does not fit the context says what to cut, and can be sent once that is done', async ({
  page,
}) => {
  await page.goto('/');
  await attach(page, file('long.py', CODE.repeat(1500)), file('add.py', CODE));
  await composer(page).fill('What is wrong in this function?');
  await expect(page.getByTestId('cut')).toContainText(/tokens too long.*Remove long\.py/);
  await expect(page.getByRole('button', { name: /^Send \(.*too long/ })).toBeDisabled();
  expect(await axeFindings(page)).toEqual([]);
  await page.getByRole('button', { name: 'Remove long.py' }).click();
  await expect(page.getByTestId('cut')).toHaveCount(0);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await untilFinished(page);
});

test('a question is edited in its place, and keeps the files that are not removed', async ({ page }) => {
  await page.goto('/');
  await attach(page, file('add.py', CODE), file('notes.md', '# Notes\n'));
  await ask(page, 'What is wrong in this function?');
  await untilFinished(page);
  const first = await storedAnswer(page);
  await page.getByRole('article', { name: 'You' }).hover();
  await page.getByRole('button', { name: 'Edit question' }).click();
  const editor = page.getByRole('textbox', { name: 'Edit your question' });
  await expect(editor).toBeFocused();
  await page.getByRole('button', { name: 'Remove notes.md' }).click();
  await editor.fill('Write a test for this function.');
  await expect(gauge(page)).toBeVisible();
  await editor.press('Enter');
  const question = page.getByRole('article', { name: 'You' });
  await expect(question).toContainText('Write a test for this function.');
  await untilFinished(page);
  await expect(question).toContainText('add.py');
  await expect(question).not.toContainText('notes.md');
  await page.getByRole('button', { name: 'Previous question' }).click();
  await expect(question).toContainText('notes.md');
  await expect(page.locator(`[data-message="${first.id}"]`)).toBeVisible();
  expect((await stored(page)).filter(({ author }) => author === 'user')).toHaveLength(2);
});

test('100 kB that are pasted can be typed after at once, and made a file', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto('/');
  const long = CODE.repeat(3200);
  await page.evaluate((text) => navigator.clipboard.writeText(text), long);
  await composer(page).press('ControlOrMeta+V');
  await page.keyboard.type('What is this?');
  await expect(composer(page)).toHaveValue(`${long}What is this?`);
  await page.getByRole('button', { name: 'Make it a file' }).click();
  await expect(composer(page)).toHaveValue('What is this?');
  await expect(chips(page)).toContainText('pasted.txt');
});
