import type { Page } from '@playwright/test';
import { account, composer, expect, test } from './fixtures';
import { choosePassword, invite, PASSWORD, signIn, stranger } from './people';

test.skip(() => account() === null, 'the server runs in local mode');
test.use({ reducedMotion: 'reduce' });

/** As an admin: opens somebody's menu, chooses an action, and confirms it. */
async function act(page: Page, email: string, action: string): Promise<void> {
  await page.goto('/admin/users');
  await page.getByRole('searchbox', { name: 'Search users' }).fill(email);
  await page.getByRole('button', { name: `Actions for ${email}` }).click();
  await page.getByRole('menuitem', { name: action }).click();
  await page.getByRole('dialog').getByRole('button', { name: action }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

test('somebody who is invited chooses a password, once, and is in', async ({ page, browser, baseURL }) => {
  const email = `invited-${Date.now()}@example.org`;
  await page.goto('/');
  await page.getByRole('link', { name: 'Admin', exact: true }).click();
  await page.getByRole('link', { name: 'Users', exact: true }).click();
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('E-mail').fill(email);
  await dialog.getByLabel('Name').fill('Grace');
  await dialog.getByRole('button', { name: 'Make the account' }).click();
  const link = await dialog.getByLabel('Link', { exact: true }).inputValue();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('searchbox', { name: 'Search users' }).fill(email);
  await expect(page.getByRole('row', { name: email })).toContainText('Invited');

  const guest = await stranger(browser, baseURL);
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: 'Hello Grace, choose a password' })).toBeVisible();
  expect(guest.url()).not.toContain('#');
  await guest.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await guest.getByRole('button', { name: 'Save and sign in' }).click();
  await expect(guest.getByRole('button', { name: 'Account menu: Grace' })).toBeVisible();
  await guest.goto('/admin/users');
  await expect(guest.getByRole('heading', { name: 'This page is for administrators' })).toBeVisible();
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: 'This link does not work any more' })).toBeVisible();
  await guest.context().close();

  await page.goto('/admin/audit');
  await expect(page.getByRole('list', { name: 'Entries' })).toContainText(`made an account for ${email}`);
});

test('a new key opens the API until it is revoked', async ({ page, playwright, baseURL }) => {
  const name = `Key ${Date.now()}`;
  await page.goto('/settings');
  await page.getByRole('button', { name: 'Create a key' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Create the key' }).click();
  const key = await page.getByRole('dialog').getByLabel('Key', { exact: true }).inputValue();
  await expect(page.getByText(`curl ${baseURL}/v1/chat/completions`)).toBeVisible();
  const api = await playwright.request.newContext({
    baseURL,
    extraHTTPHeaders: { Authorization: `Bearer ${key}` },
  });
  expect((await api.get('/v1/models')).status()).toBe(200);
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText(key)).toHaveCount(0);
  await page.getByRole('button', { name: `Revoke ${name}` }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText(name)).toHaveCount(0);
  expect((await api.get('/v1/models')).status()).toBe(401);
  await api.dispose();
});

test('who changes their password stays signed in, and nobody else does', async ({
  page,
  browser,
  baseURL,
}) => {
  await page.goto('/');
  const { user, link } = await invite(page);
  const here = await stranger(browser, baseURL);
  await choosePassword(here, link);
  const there = await stranger(browser, baseURL);
  await there.goto('/login');
  await signIn(there, user.email, PASSWORD);
  await expect(composer(there)).toBeVisible();

  await here.goto('/settings');
  await here.getByLabel('Present password').fill(PASSWORD);
  await here.getByLabel('New password').fill('another battery staple');
  await here.getByRole('button', { name: 'Change password' }).click();
  await expect(here.getByText('Your password was changed.')).toBeVisible();
  await here.reload();
  await expect(here.getByRole('heading', { name: 'Settings' })).toBeVisible();
  await there.reload();
  await expect(there).toHaveURL(/\/login/);
  await Promise.all([here.context().close(), there.context().close()]);
});

test('who is deactivated lands on the sign-in, and finds the draft again', async ({
  page,
  browser,
  baseURL,
}) => {
  await page.goto('/');
  const { user, link } = await invite(page);
  const guest = await stranger(browser, baseURL);
  await choosePassword(guest, link);
  await composer(guest).fill('half a thought');
  await act(page, user.email, 'Deactivate');
  await expect(page.getByRole('row', { name: user.email })).toContainText('Deactivated');
  // The page asks who is signed in every half minute.
  await expect(guest).toHaveURL(/\/login/, { timeout: 60_000 });
  await signIn(guest, user.email, PASSWORD);
  await expect(guest.getByRole('alert')).toContainText('do not match');
  await act(page, user.email, 'Activate');
  await signIn(guest, user.email, PASSWORD);
  await expect(composer(guest)).toHaveValue('half a thought');
  await guest.context().close();
});

test.describe('when the server refuses', () => {
  test.use({ allowedErrors: [/409 \(Conflict\)/] });

  test('the only admin stays one', async ({ page }) => {
    await page.goto('/admin/users');
    const email = account()?.email ?? '';
    await page.getByRole('button', { name: `Actions for ${email}` }).click();
    await page.getByRole('menuitem', { name: 'Make member' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Make member' }).click();
    await expect(dialog.getByRole('alert')).toContainText('This is the only admin');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByRole('button', { name: `Actions for ${email}` })).toBeFocused();
  });
});
