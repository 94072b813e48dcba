import { account, ask, axeFindings, composer, expect, test, untilFinished } from './fixtures';

const PROMPT = 'Write a Python function that reverses a string.';

test('an example is answered, and its conversation is listed', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(composer(page)).toBeFocused();
  await expect(page.getByTestId('demo-model')).toBeVisible();
  await page.getByRole('button', { name: /Reverse a string/ }).click();
  await expect(page).toHaveURL(/\/c\/[0-9a-f-]{36}$/);
  await untilFinished(page);
  const current = page.getByRole('navigation', { name: 'Conversations' }).locator('[aria-current=page]');
  await expect(current).toContainText('reverses a string');
  await expect(page).toHaveTitle(/reverses a string/);
});

test('an answer can be copied, rated and corrected, and that is kept', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto('/');
  await ask(page, PROMPT);
  await untilFinished(page);

  await page.getByRole('button', { name: 'Copy answer' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied.length).toBeGreaterThan(0);

  await page.getByRole('button', { name: 'Copy code' }).first().click();
  const code = await page.evaluate(() => navigator.clipboard.readText());
  expect(code).not.toContain('```');
  expect(copied).toContain(code.trim());

  await page.getByRole('button', { name: 'Good answer' }).click();
  await page.getByRole('button', { name: 'Correct', exact: true }).click();
  const editor = page.getByRole('textbox', { name: 'Corrected answer' });
  await expect(editor).toHaveValue(copied);
  await editor.fill('```python\ndef reverse(text):\n    return text[::-1]\n```');
  await page.getByRole('button', { name: 'Save correction' }).click();
  await expect(page.getByRole('button', { name: 'Corrected', exact: true })).toBeVisible();

  await page.reload();
  await expect(page.getByRole('button', { name: 'Good answer' })).toHaveAttribute('aria-pressed', 'true');
  await page.getByRole('button', { name: 'Corrected', exact: true }).click();
  await expect(editor).toHaveValue(/text\[::-1\]/);
});

test('a conversation can be renamed and deleted', async ({ page }) => {
  await page.goto('/');
  await ask(page, PROMPT);
  await untilFinished(page);
  const list = page.getByRole('navigation', { name: 'Conversations' });
  const name = `Renamed ${Date.now()}`;

  await list.locator('[aria-current=page]').hover();
  await list
    .locator('li')
    .filter({ has: page.locator('[aria-current=page]') })
    .getByRole('button')
    .click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'Name of the conversation' }).fill(name);
  await page.keyboard.press('Enter');
  await expect(list.getByRole('link', { name })).toBeVisible();
  await page.reload();
  await list.getByRole('link', { name }).hover();
  await page.getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page).toHaveURL(/\/$/);
  await expect(list.getByRole('link', { name })).toHaveCount(0);
});

test('a draft outlives a reload', async ({ page }) => {
  await page.goto('/');
  await composer(page).fill('half a thought');
  await page.reload();
  await expect(composer(page)).toHaveValue('half a thought');
});

test('dark is chosen, and kept', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/');
  await expect(page.locator('html')).not.toHaveClass(/dark/);
  await page.getByRole('button', { name: 'Dark' }).click();
  await expect(page.locator('html')).toHaveClass(/dark/);
  await page.reload();
  await expect(page.locator('html')).toHaveClass(/dark/);
});

test('the models page shows which version answers', async ({ page }) => {
  await page.goto('/models');
  await expect(page.getByRole('region', { name: 'Versions' })).toContainText('Champion');
  await expect(page.getByRole('region', { name: 'Training runs' })).toBeVisible();
});

test('an address that leads nowhere says so', async ({ page }) => {
  await page.goto('/models/nothing');
  await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test('nothing scrolls sideways, and the drawer leads everywhere', async ({ page }) => {
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    await page.goto('/');
    await expect(page.getByTestId('demo-model')).toBeVisible();
    expect(await width()).toBe(360);
    await ask(page, PROMPT);
    await untilFinished(page);
    expect(await width()).toBe(360);
    await page.getByRole('button', { name: 'Open navigation' }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Models' }).click();
    await expect(page.getByRole('heading', { name: 'Models' })).toBeVisible();
    await expect(page.getByRole('dialog')).toHaveCount(0);
    expect(await width()).toBe(360);
    expect(await axeFindings(page)).toEqual([]);
  });
});

test.describe('signed out', () => {
  test.skip(() => account() === null, 'the server runs in local mode');
  test.use({ signedIn: false, allowedErrors: [/401 \(Unauthorized\)/] });

  test('one signs in, and comes to where one wanted to go', async ({ page }) => {
    const who = account();
    await page.goto('/models');
    await expect(page).toHaveURL(/\/login/);
    await page.getByLabel('E-mail').fill(who?.email ?? '');
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('do not match');
    expect(await axeFindings(page)).toEqual([]);
    await page.getByLabel('Password').fill(who?.password ?? '');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL(/\/models$/);
    await page.getByRole('button', { name: /^Account menu/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await expect(page).toHaveURL(/\/login/);
  });
});
